//! A change of the mesh's configuration that a frozen mesh refuses.

/// Somebody else's change, as it might come at any time.
pub const FOREIGN_CHANGE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
";
