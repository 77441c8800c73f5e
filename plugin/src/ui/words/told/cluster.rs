//! Errors of reaching clusters, and what was asked of them.

super::told! {
    "the ServiceAccount of the pod" => "Pod 的 ServiceAccount";
    // kubeconfig and connection
    "no kubeconfig at {path}" => "{path} 没有 kubeconfig";
    "cannot read the kubeconfig {path}: {source}" => "无法读取 kubeconfig {path}：{source}";
    "{path} is not a valid kubeconfig: {reason}" => "{path} 不是有效的 kubeconfig：{reason}";
    "the kubeconfig names no current context" => "kubeconfig 没有指定当前 context";
    "the kubeconfig has no context {context:?}" => "kubeconfig 中没有 context {context}";
    "context {context:?} cannot be used: {reason}" => "无法使用 context {context}：{reason}";
    "context {context:?}: {reason}" => "context {context}：{reason}";
    "context {context:?} already acts as {user:?}, and impersonation does not nest"
        => "context {context} 已经扮演 {user}，而扮演（impersonate）不能嵌套";
    "nothing listens at {server}: connection refused" => "{server} 没有监听：连接被拒绝";
    "cannot connect to {server}: {reason}" => "无法连接 {server}：{reason}";
    "{server} did not answer in time while asked to {what}" => "{server} 没有及时应答：请求是 {what}";
    "the certificate of {server} has expired" => "{server} 的证书已过期";
    "no secure connection to {server}: {reason}" => "无法与 {server} 建立安全连接：{reason}";
    "{server} does not accept the credentials of context {context:?}" => "{server} 不接受 context {context} 的凭据";
    "not allowed to {what}: {message}" => "没有权限 {what}：{message}";
    "{server} refused to {what}: {message}" => "{server} 拒绝了请求 {what}：{message}";
    "{server} gave no usable answer when asked to {what}: {reason}" => "{server} 对请求 {what} 没有给出可用的应答：{reason}";
    "{server} answered with more than {mib} MiB when asked to {what}" => "{server} 对请求 {what} 的应答超过 {mib} MiB";
    "cannot write a private kubeconfig into {path}: {source}" => "无法把私有的 kubeconfig 写入 {path}：{source}";
    "name one with --kubeconfig FILE or KUBECONFIG" => "用 --kubeconfig FILE 或 KUBECONFIG 指定一个";
    "check its permissions: ls -l {}" => "检查其权限：ls -l {}";
    "see what kubectl makes of it: kubectl config view --kubeconfig {}"
        => "看看 kubectl 如何理解它：kubectl config view --kubeconfig {}";
    "see it with: kubectl config view --minify --context NAME" => "查看它：kubectl config view --minify --context NAME";
    "log in again, then see whether this works: kubectl auth whoami" => "重新登录，然后看这是否可用：kubectl auth whoami";
    "run it without --as, as a user who may impersonate the driver; --as works for reading"
        => "不带 --as，以可以扮演驱动者的用户执行；--as 只能用于读取";
    "check that the cluster runs and that you are in its network: kubectl cluster-info"
        => "确认集群在运行，并且您在其网络中：kubectl cluster-info";
    "check the way to the cluster, or give it longer with --request-timeout"
        => "检查到集群的网络，或者用 --request-timeout 给它更长的时间";
    "renew the API server's certificate; kubeadm: kubeadm certs check-expiration"
        => "更新 API server 的证书；使用 kubeadm 时：kubeadm certs check-expiration";
    "compare certificate-authority and tls-server-name of the kubeconfig with the server"
        => "把 kubeconfig 的 certificate-authority 和 tls-server-name 与服务器对照";
    "ask for the right to {what}; the ClusterRole mesh-upgrade-operator has all that check reads, and comes with: kubectl mesh-upgrade guard install"
        => "申请权限 {what}；ClusterRole mesh-upgrade-operator 包含 check 要读取的一切，它由以下命令带来：kubectl mesh-upgrade guard install";
    "the kubeconfig has no contexts at all" => "kubeconfig 中一个 context 都没有";
    " and {more} more" => " 等，另有 {more} 个";
    "choose one with --context: {names}{more}" => "用 --context 选择一个：{names}{more}";
    "its proxy's scheme {:?} is not supported: use http, https or socks5"
        => "不支持其代理的 scheme {}：请用 http、https 或 socks5";
    "its certificates or its key are not usable for TLS" => "其证书或密钥不能用于 TLS";
    "no client can be built from it" => "无法据此建立客户端";
    "its answer ends or changes shape at line {} column {}" => "其应答在第 {} 行第 {} 列中断或变形";
    "its certificate is signed by an authority that the kubeconfig does not trust" => "其证书的签发者不受 kubeconfig 信任";
    "its certificate is not made out to that name" => "其证书不是签发给该名称的";
    "not the expected YAML at line {} column {}" => "第 {} 行第 {} 列不是预期的 YAML";
    "not the expected YAML" => "不是预期的 YAML";
    "there is no context {name:?}" => "没有 context {name}";
    "its cluster {name:?} is not in the kubeconfig" => "其集群 {name} 不在 kubeconfig 中";
    "its cluster has no server" => "其集群没有 server";
    "its cluster's server is not a URL" => "其集群的 server 不是 URL";
    "its proxy-url, or HTTPS_PROXY, is not a URL" => "其 proxy-url 或 HTTPS_PROXY 不是 URL";
    "its certificate-authority is not PEM" => "其 certificate-authority 不是 PEM";
    "its files have different kinds" => "其各文件的 kind 不同";
    "its files have different API versions" => "其各文件的 API 版本不同";
    "it cannot be used" => "它不能使用";
    "its {field}-data is not base64" => "其 {field}-data 不是 base64";
    "its {field} {} cannot be read: {error}" => "无法读取其 {field} {0}：{error}";
    "its {field} is missing" => "缺少其 {field}";
    "its credential plugin cannot be started: {error}" => "无法启动其凭据插件：{error}";
    "its credential plugin failed: {}" => "其凭据插件失败：{}";
    "its credential plugin printed no credential" => "其凭据插件没有输出凭据";
    "its credential plugin has no command" => "其凭据插件没有 command";
    "its token file {} cannot be read: {error}" => "无法读取其令牌文件 {0}：{error}";
    "its token or password has characters that HTTP does not allow" => "其令牌或密码中有 HTTP 不允许的字符";
    "its credentials cannot be used" => "其凭据不能使用";
    "it is no longer in the kubeconfig" => "它已不在 kubeconfig 中";
    "its cluster is not in the kubeconfig" => "其集群不在 kubeconfig 中";
    "it cannot be written as JSON" => "无法写成 JSON";
    "the Mesh objects call two clusters {name:?}: one is reached by the context {first:?}, the other by {second:?} (mesh {mesh})"
        => "Mesh 对象把两个集群都叫做 {name}：一个由 context {first} 到达，另一个由 {second}（网格 {mesh}）";
    "give each cluster one name: kubectl edit mesh MESH" => "给每个集群一个名称：kubectl edit mesh MESH";

    // kubeconfigs out of Secrets
    "its kubeconfig is refused: {0} is not allowed in a Secret" => "拒绝其 kubeconfig：Secret 中不允许 {0}";
    "its kubeconfig is not usable: {0}" => "其 kubeconfig 不可用：{0}";
    "it is longer than a Secret may be" => "它比 Secret 允许的更长";
    "it is not text" => "它不是文本";
    "it is not the YAML of a kubeconfig" => "它不是 kubeconfig 的 YAML";
    "its current-context is not in it" => "其中没有它的 current-context";
    "its context's cluster is not in it" => "其中没有其 context 的集群";
    "its cluster has no server at https://" => "其集群没有 https:// 的 server";
    "its context's user is not in it" => "其中没有其 context 的用户";
    "an auth-provider" => "auth-provider";
    "an exec plugin" => "exec 插件";
    "a client-certificate path" => "client-certificate 路径";
    "a client-key path" => "client-key 路径";
    "a certificate-authority path" => "certificate-authority 路径";

    // what was asked for
    "get the catalog's ConfigMap" => "读取目录的 ConfigMap";
    "ConfigMap {}/{} has no key {}" => "ConfigMap {0}/{1} 没有键 {2}";
    "list Namespaces" => "列出 Namespace";
    "list PodDisruptionBudgets" => "列出 PodDisruptionBudget";
    "discover policies" => "查询策略的 API";
    "get ValidatingAdmissionPolicies" => "读取 ValidatingAdmissionPolicy";
    "get ValidatingAdmissionPolicyBindings" => "读取 ValidatingAdmissionPolicyBinding";
    "get the driver's ServiceAccount" => "读取驱动者的 ServiceAccount";
    "get ValidatingWebhookConfigurations" => "读取 ValidatingWebhookConfiguration";
    "discover the guard's kinds" => "查询守卫的各个 kind";
    "the guard: {error}" => "守卫：{error}";
    "list Meshes" => "列出 Mesh";
    "get the guard's policy" => "读取守卫的策略";
    "get the webhook's Deployment" => "读取 webhook 的 Deployment";
    "Mesh objects" => "Mesh 对象";
    "control planes" => "控制平面";
    "kubeconfigs of remote clusters" => "远程集群的 kubeconfig";
    "list Deployments" => "列出 Deployment";
    "list DaemonSets" => "列出 DaemonSet";
    "list Pods" => "列出 Pod";
    "list Nodes" => "列出 Node";
    "list Leases" => "列出 Lease";
    "list Services" => "列出 Service";
    "list CustomResourceDefinitions" => "列出 CustomResourceDefinition";
    "list MutatingWebhookConfigurations" => "列出 MutatingWebhookConfiguration";
    "list ValidatingWebhookConfigurations" => "列出 ValidatingWebhookConfiguration";
    "list MeshFreezes" => "列出 MeshFreeze";
    "list the Secrets of remote clusters" => "列出远程集群的 Secret";
    "get the ConfigMaps of istiod" => "读取 istiod 的 ConfigMap";
    "gateways without Istio's label: {error}" => "没有 Istio 标签的网关：{error}";
    "proxies of the data plane: {error}" => "数据平面的代理：{error}";
    "tell its version" => "说明其版本";
    "get the Namespace kube-system" => "读取 Namespace kube-system";
    "versions that run: {error}" => "运行的版本：{error}";
    "{kind} {place} in its answer cannot be read" => "它的回答中的 {kind} {place} 无法读取";
    "mesh configuration in {namespace} cannot be read: ConfigMap {name} is no YAML at line {} column {}"
        => "无法读取 {namespace} 中的网格配置：ConfigMap {name} 的第 {0} 行第 {1} 列不是 YAML";
    "mesh configuration in {namespace}: {error}" => "{namespace} 中的网格配置：{error}";
    "Argo CD application {application}" => "Argo CD 应用 {application}";
    "Argo CD application {application} (by the label app.kubernetes.io/instance)"
        => "Argo CD 应用 {application}（依据标签 app.kubernetes.io/instance）";
    "ask for your own permissions" => "查询您自己的权限";
    "ask who you are" => "查询您是谁";
    "list helm's Secrets" => "列出 helm 的 Secret";
    "list helm's ConfigMaps" => "列出 helm 的 ConfigMap";
    "get Istio's CRDs" => "读取 Istio 的 CRD";
    "helm releases" => "各个 helm release";
    "the helm release of Istio's CRDs" => "Istio 的 CRD 所属的 helm release";
    "what a GitOps controller or operator follows" => "GitOps 控制器或 operator 跟随的内容";
    "helm releases: {error}" => "helm release：{error}";
    "helm releases kept in ConfigMaps: {error}" => "存于 ConfigMap 的 helm release：{error}";
    "the helm release of Istio's CRDs: {error}" => "Istio 的 CRD 所属的 helm release：{error}";
    "get helm's releases" => "读取 helm 的 release";
    "list the Pods of istiod" => "列出 istiod 的 Pod";
    "it did not answer in time" => "它没有及时应答";
    "cluster {} has another mesh's istiod in namespace {}, too" => "集群 {0} 的命名空间 {1} 中还有另一个网格的 istiod";
    "metrics of pod {}/{}: {reason}" => "Pod {}/{} 的指标：{reason}";
    "{}, a component of the vendor: {error}" => "{0}（厂商的组件）：{error}";
    "version of pod {}/{}: {reason}" => "Pod {}/{} 的版本：{reason}";
    "forward a port to istiod" => "向 istiod 转发端口";
    "the port-forward has no stream" => "端口转发没有数据流";
    "istiod answered {status}" => "istiod 应答 {status}";
    "get the Secret cacerts" => "读取 Secret cacerts";
    "get the Secret istio-ca-secret" => "读取 Secret istio-ca-secret";
    "get the ConfigMap istio-ca-root-cert" => "读取 ConfigMap istio-ca-root-cert";
    "get the ConfigMaps of istiod's elections" => "读取 istiod 选举的 ConfigMap";
    "definitions, and the objects of each" => "CRD 及其各自的对象";
    "Deployments of Istio's operator" => "Istio operator 的 Deployment";
    "who set fields of a {kind} that istiod's chart brings" => "谁设置了 istiod 的 chart 所带 {kind} 的字段";
    "Deployments of Kiali" => "Kiali 的 Deployment";
    "Services of type ExternalName" => "ExternalName 类型的 Service";
    "elections among istiods" => "istiod 之间的选举";
    "it is there" => "它存在";
    "what the CNI leaves out" => "CNI 排除的内容";
    "sources of charts" => "chart 的来源";
    "get the Service zipkin" => "读取 Service zipkin";
    "list components of the vendor" => "列出厂商的组件";
    "get the CNI's ConfigMap" => "读取 CNI 的 ConfigMap";
    "objects of the kind {}: {error}" => "kind 为 {} 的对象：{error}";
    "list objects of the kind {}" => "列出 kind 为 {} 的对象";
    "get Services of webhooks" => "读取 webhook 的 Service";
    "it ended after {read} bytes, before the end that it had announced" => "它在 {read} 字节之后结束，早于它所声明的结尾";
    "it is no protobuf list: {0}" => "它不是 protobuf 列表：{0}";
    "it begins otherwise" => "它的开头不符";
    "it goes on with another page" => "它接着是另一页";
    "its parts and its length disagree" => "其各部分与长度不符";
    "it holds not one list" => "其中不是一个列表";
    "a part is too long" => "有一部分太长";
    "a number has no end" => "有一个数没有结尾";
    "an unknown kind of field" => "未知的字段类型";
    "its credential plugin did not end in time" => "其凭据插件没有及时结束";
    "asking it broke off: {error}" => "对它的查询中断：{error}";
    "{} took longer than {} s in all" => "{} 总共超过了 {} 秒";
    "it could not be connected to" => "无法连接它";
    "only a Secret of Istio's leads there, with Istio's rights: name a context of yours that reaches it"
        => "只有 Istio 的 Secret 通向那里，并且只有 Istio 的权限：请指定您自己的、能到达它的 context";
}
