//! The freeze of the corpus, put up from the generated objects as the driver would, and taken down barrier by barrier.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use shared::{
    api::{FreezeSettings, MeshFreezeSpec},
    guard::{codes::Code, freeze_policies},
    names,
};

use super::{
    answer::Answer,
    api::Api,
    table::{Row, Verb, folder},
};
use crate::harness::wait_until;

/// How long a change of policies or webhooks may take to be felt.
const DEADLINE: Duration = Duration::from_secs(20);
/// The identity that holds the freeze.
const HOLDER: &str = "driver";
const POLICIES: &str = "admissionregistration.k8s.io/v1 validatingadmissionpolicies";
const BINDINGS: &str = "admissionregistration.k8s.io/v1 validatingadmissionpolicybindings";
const WEBHOOKS: &str = "admissionregistration.k8s.io/v1 validatingwebhookconfigurations";

/// A freeze whose barriers are put up one by one.
#[derive(Debug)]
pub struct Freeze<'a> {
    api: &'a Api,
    spec: MeshFreezeSpec,
    policy: String,
}

impl<'a> Freeze<'a> {
    /// Writes the record, and waits until the webhook refuses by it. There is no policy yet.
    ///
    /// # Errors
    /// When the record is refused or the webhook does not close.
    pub fn record(api: &'a Api) -> Result<Self> {
        let freeze = Self::unrecorded(api)?;
        let on = format!("meshupgrade.io/v1alpha1 meshfreezes {}", freeze.spec.mesh);
        let record = json!({"kind": "MeshFreeze", "spec": freeze.spec});
        freeze.write(Verb::Create, &on, record)?;
        freeze.wait("the webhook to refuse", "admin", &Answer::Webhook(Code::MeshFrozen))?;
        Ok(freeze)
    }

    /// The same freeze without its record: the webhook knows nothing of it, and there is no policy yet.
    ///
    /// # Errors
    /// When the fixture cannot be read.
    pub fn unrecorded(api: &'a Api) -> Result<Self> {
        let path = folder().join("freeze.yaml");
        let spec: MeshFreezeSpec =
            serde_saphyr::from_str(&std::fs::read_to_string(&path)?).with_context(|| path.display().to_string())?;
        Ok(Self {
            api,
            policy: names::freeze_policy(&spec.mesh, spec.epoch),
            spec,
        })
    }

    /// Name of the policy.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Makes the webhook, which is dead by now, count as a refusal: it shows which requests it is asked about.
    ///
    /// # Errors
    /// When the configuration cannot be changed.
    pub fn need_webhook(&self) -> Result<()> {
        self.set_failure_policy("Fail")?;
        self.wait("the dead webhook to be missed", "admin", &Answer::AskedTheWebhook)
    }

    /// Undoes [`Self::need_webhook`].
    ///
    /// # Errors
    /// When the configuration cannot be changed.
    pub fn ignore_webhook(&self) -> Result<()> {
        self.set_failure_policy("Ignore")?;
        self.wait("the dead webhook to be ignored", "admin", &Answer::Admitted)
    }

    /// Writes policy and binding, and waits until the policy refuses.
    ///
    /// # Errors
    /// When a write is refused or the policy does not close.
    pub fn close_policy(&self) -> Result<()> {
        for (policy, binding) in freeze_policies(&self.spec) {
            let name = policy.metadata.name.as_deref().unwrap_or_default();
            self.write(Verb::Create, &format!("{POLICIES} {name}"), json!(policy))?;
            self.write(Verb::Create, &format!("{BINDINGS} {name}"), json!(binding))?;
        }
        self.wait("the policy to close", "admin", &Answer::FreezePolicy)
    }

    /// Deletes policy and binding, and waits until the policy no longer refuses; what the webhook says is not asked.
    ///
    /// # Errors
    /// When the policy stays closed.
    pub fn open_policy(&self) -> Result<()> {
        self.write(Verb::Delete, &format!("{BINDINGS} {}", self.policy), Value::Null)?;
        self.write(Verb::Delete, &format!("{POLICIES} {}", self.policy), Value::Null)?;
        self.wait_while("the policy to open", "admin", &Answer::FreezePolicy)
    }

    /// Waits until the webhook refuses what the policy lets pass for it.
    ///
    /// # Errors
    /// When it does not.
    pub fn prove_webhook_beside_policy(&self) -> Result<()> {
        self.wait(
            "the webhook to refuse beside the policy",
            "driver-webhook-probe",
            &Answer::Webhook(Code::MeshFrozen),
        )
    }

    /// Gives the mesh other settings, in record and policies, and waits until both barriers warn about configuration.
    ///
    /// # Errors
    /// When a write is refused or one of the barriers does not warn.
    pub fn change_settings(&mut self, settings: FreezeSettings) -> Result<()> {
        self.spec.scope.configuration = settings;
        let on = format!("meshupgrade.io/v1alpha1 meshfreezes {}", self.spec.mesh);
        // As a whole: what an apply leaves out stays when somebody else wrote it.
        let whole = json!([{"op": "add", "path": "/spec/scope/configuration", "value": self.spec.scope.configuration}]);
        self.write(Verb::Json, &on, whole)?;
        for (policy, binding) in freeze_policies(&self.spec) {
            let name = policy.metadata.name.as_deref().unwrap_or_default();
            self.write(Verb::Apply, &format!("{POLICIES} {name}"), json!(policy))?;
            self.write(Verb::Apply, &format!("{BINDINGS} {name}"), json!(binding))?;
        }
        let rule = json!({"kind": "DestinationRule", "spec": {"host": "canary"}});
        let on = "networking.istio.io/v1 destinationrules istio-system/canary";
        let canary = Row::new("a canary of configuration", "admin", Verb::Create, on, rule)?;
        let both = Answer::Warned {
            policy: true,
            webhook: true,
        };
        self.wait_for("both barriers to warn", &canary, |answer| *answer == both)
    }

    fn set_failure_policy(&self, policy: &str) -> Result<()> {
        let on = format!("{WEBHOOKS} {}", names::WEBHOOK);
        let unchanged = self.write(Verb::Merge, &on, json!({}))?;
        let count = unchanged.get("webhooks").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(count > 0, "the guard has no webhooks: {unchanged}");
        let operations: Vec<Value> = (0..count)
            .map(|index| json!({"op": "replace", "path": format!("/webhooks/{index}/failurePolicy"), "value": policy}))
            .collect();
        self.write(Verb::Json, &on, json!(operations)).map(drop)
    }

    fn write(&self, verb: Verb, on: &str, body: Value) -> Result<Value> {
        self.api.write(&Row::new("the freeze", HOLDER, verb, on, body)?)
    }

    /// Asks with the canary until the answer is the wanted one.
    fn wait(&self, what: &str, identity: &str, wanted: &Answer) -> Result<()> {
        self.wait_for(what, &canary_of(identity)?, |answer| answer == wanted)
    }

    /// Asks with the canary until the answer is another one.
    fn wait_while(&self, what: &str, identity: &str, answer: &Answer) -> Result<()> {
        self.wait_for(what, &canary_of(identity)?, |now| now != answer)
    }

    fn wait_for(&self, what: &str, canary: &Row, wanted: impl Fn(&Answer) -> bool) -> Result<()> {
        wait_until(what, DEADLINE, || {
            let answers = self.api.ask(std::slice::from_ref(canary), &self.policy)?;
            match answers.first() {
                Some(answer) if wanted(answer) => Ok(Some(())),
                other => anyhow::bail!("{} as {} got {other:?}", canary.name, canary.identity),
            }
        })
    }
}

fn canary_of(identity: &str) -> Result<Row> {
    let on = format!("v1 configmaps istio-system/{}", names::CANARY);
    Row::new("a canary", identity, Verb::Create, &on, json!({"kind": "ConfigMap"}))
}
