//! Effects on the freeze: put up, watched while a component is changed, taken down.
//!
//! While a component is changed nothing may go on unfrozen: at the first sign that the freeze, its record or the guard
//! was touched, the engine is stopped where it stands, and it is let go on only after the freeze was proved closed again.

use super::{
    effects::{Effects, all_or_why},
    fault::{Fault, patiently},
    freeze,
    watch::{Bell, Ring, disturbance},
};
use crate::{
    error::{CommandError, Exit},
    installer::Hold,
    ui::Mark,
};
use futures::future::join_all;
use kube::Api;
use shared::{
    api::{FreezeScope, MeshFreezeSpec, MeshUpgrade, MeshUpgradeSpec, PlanCluster, PlanStep},
    fingerprint::describe,
    machine::{Drift, FreezeState, News},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

/// How often the freeze is looked after while a component is changed, should no watch tell of anything.
const WATCH_EVERY: Duration = Duration::from_secs(10);

/// Where news go while an effect is performed; they stand in the journal a moment later.
pub type Telling = UnboundedSender<News>;

/// Why a step must not go on.
#[derive(Debug)]
pub enum Lost {
    /// The freeze is open and could not be closed again.
    Freeze(String),
    /// The journal is gone, or somebody else's: there is nowhere to write what is done.
    Journal(CommandError),
}

impl Effects<'_> {
    /// Freezes every cluster, or proves those that are frozen, and lets the controller of a step that is under way through.
    pub(super) async fn freeze(
        &self,
        spec: &MeshUpgradeSpec,
        under_way: Option<&PlanStep>,
        unseen: &BTreeMap<String, String>,
        news: &Telling,
    ) -> FreezeState {
        if spec.unguarded.is_some() {
            return FreezeState::Closed;
        }
        match self.close_all(spec, under_way, unseen).await {
            Ok(()) => {
                self.tell_drift(news, &mut Drift::new());
                FreezeState::Closed
            }
            Err(why) => FreezeState::Failed(why),
        }
    }

    /// In all clusters at once: the mesh is to be frozen no longer than it must be. One of which is `unseen` what was left
    /// there stays as it is.
    async fn close_all(
        &self,
        spec: &MeshUpgradeSpec,
        step: Option<&PlanStep>,
        unseen: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let closing = spec.plan.clusters.iter().map(|planned| async move {
            if let Some(why) = unseen.get(&planned.name) {
                return Err(why.clone());
            }
            let closed = self.close(spec, planned, step).await;
            let evidence = closed.map_err(|fault| fault.in_cluster(&planned.name).to_string())?;
            self.ui
                .progress(Mark::Pass, &self.ui.lang.apply_frozen(&planned.name, &evidence));
            Ok(evidence)
        });
        all_or_why(join_all(closing).await).map(drop)
    }

    /// Freezes a cluster for all but the holder, and the controller that `step` waits for.
    async fn close(
        &self,
        spec: &MeshUpgradeSpec,
        planned: &PlanCluster,
        step: Option<&PlanStep>,
    ) -> Result<String, Fault> {
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_with(spec, planned, step);
        let holder = freeze::holder(cluster, &freeze)?;
        patiently(|| freeze::not_unlocked(&holder, &freeze)).await?;
        let put_back = || async {
            self.surely_drives().await?;
            self.watch.put_back(&holder, &planned.name, &freeze).await
        };
        patiently(put_back).await?;
        let put_up = || async {
            self.surely_drives().await?;
            freeze::put_up(cluster, &freeze).await
        };
        let settled = patiently(put_up).await?;
        // What changes while it is proved is so seen by the next look.
        let (evidence, first) = tokio::try_join!(
            patiently(|| freeze::prove(cluster, &freeze, settled)),
            patiently(|| self.watch.first_look(&holder, &freeze)),
        )?;
        let begin = || async {
            self.surely_drives().await?;
            self.watch.begin(&holder, &planned.name, &freeze, first.clone()).await
        };
        let changes = patiently(begin).await?;
        if !changes.is_empty() {
            let what = format!("changed since it was first frozen: {}", describe(&changes));
            self.ui.progress(Mark::Warn, &format!("{}: {what}", planned.name));
        }
        Ok(evidence)
    }

    /// Of what is written next no guard is asked: a rival that has come while the server was away may have thawed the mesh.
    async fn surely_drives(&self) -> Result<(), Fault> {
        self.tenure.sure().await.map_err(Fault::lasting)
    }

    /// Writes the freeze of a step's cluster anew, so that it lets through the controller that `waiting` waits for, or
    /// nobody any more; and proves it. Nothing is done where nobody is to be let through.
    pub(super) async fn let_through(
        &self,
        spec: &MeshUpgradeSpec,
        step: &PlanStep,
        waiting: Option<&PlanStep>,
    ) -> Result<(), String> {
        let planned = spec.plan.cluster(&step.cluster);
        let concerned = |planned: &&PlanCluster| spec.unguarded.is_none() && is_waited_for(planned, step);
        let Some(planned) = planned.filter(concerned) else {
            return Ok(());
        };
        let told = |fault: Fault| fault.in_cluster(&planned.name).to_string();
        let cluster = self.cluster(&planned.name)?;
        let freeze = self.freeze_of(spec, planned);
        let holder = freeze::holder(cluster, &freeze).map_err(told)?;
        // The policy changes by the holder's own hand, which nobody is to take for somebody else's.
        patiently(|| self.watch.forget_the_freeze(&holder, &planned.name, &freeze))
            .await
            .map_err(told)?;
        self.close(spec, planned, waiting).await.map(drop).map_err(told)
    }

    /// Whether the freeze stands and refuses, and the guard with it.
    pub(super) async fn freeze_stands(&self, spec: &MeshUpgradeSpec, step: Option<&PlanStep>) -> Result<(), Fault> {
        if spec.unguarded.is_some() {
            return Ok(());
        }
        let looking = spec.plan.clusters.iter().map(|planned| async move {
            let stands = self.freeze_stands_in(spec, planned, step).await;
            stands.map_err(|fault| fault.in_cluster(&planned.name))
        });
        join_all(looking).await.into_iter().collect()
    }

    async fn freeze_stands_in(
        &self,
        spec: &MeshUpgradeSpec,
        planned: &PlanCluster,
        step: Option<&PlanStep>,
    ) -> Result<(), Fault> {
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_of(spec, planned);
        let holder = freeze::holder(cluster, &freeze)?;
        let changing = step.filter(|step| step.cluster == planned.name).map(PlanStep::changes);
        let looked = async {
            let look = || self.watch.look(&holder, &planned.name, &freeze, changing.as_ref());
            let look = patiently(look).await?;
            if let Some(change) = disturbance(&look.changes) {
                return Err(Fault::lasting(change.to_string()));
            }
            match &look.standing {
                Some(standing) => freeze::policies::alone_in(standing, &freeze),
                None => patiently(|| freeze::policies::is_alone(&holder, &freeze)).await,
            }
        };
        let is_ours = patiently(|| freeze::is_ours(&holder, &freeze));
        let refuses = || freeze::refuses(cluster, &freeze);
        // Side by side, as each says something of this moment.
        let at_once = async { Ok(refuses().await) };
        let ((), (), at_once) = tokio::try_join!(looked, is_ours, at_once)?;
        match at_once {
            Ok(()) => Ok(()),
            // That something is admitted, or not answered, tells least of why: it counts where all else has been seen to stand.
            Err(_) => patiently(refuses).await,
        }
    }

    /// Says in the record which release is changed from now on, and listens.
    pub(super) async fn stand_watch(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> Result<Bell, Fault> {
        let mut clusters = Vec::new();
        for planned in &spec.plan.clusters {
            let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
            let holder = freeze::holder(cluster, &self.freeze_of(spec, planned))?;
            clusters.push((holder.client, self.watch.served(&planned.name)));
        }
        let listening = async {
            Ok(match self.watch.kept() {
                Some(bell) => bell,
                None => Bell::listen(&clusters, &spec.mesh, &self.home, &self.journal).await,
            })
        };
        let (bell, ()) = tokio::try_join!(listening, self.announce(spec, step))?;
        Ok(bell)
    }

    async fn announce(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> Result<(), Fault> {
        let planned = spec.plan.cluster(&step.cluster);
        let Some(planned) = planned else { return Ok(()) };
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_of(spec, planned);
        let holder = freeze::holder(cluster, &freeze)?;
        let release = step.changes();
        let announced = patiently(|| self.watch.announce(&holder, &planned.name, &freeze, &release)).await;
        announced.map_err(|fault| fault.in_cluster(&planned.name))
    }

    /// Takes what a step has changed for what is to be.
    pub(super) async fn end_watch(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> Result<(), Fault> {
        let planned = spec.plan.cluster(&step.cluster);
        let Some(planned) = planned.filter(|_| spec.unguarded.is_none()) else {
            return Ok(());
        };
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_of(spec, planned);
        let holder = freeze::holder(cluster, &freeze)?;
        let release = step.changes();
        let settled = patiently(|| self.watch.settle(&holder, &planned.name, &freeze, &release)).await;
        settled.map_err(|fault| fault.in_cluster(&planned.name))
    }

    /// Watches over a step for as long as it runs. Returns only when it must not go on.
    pub(super) async fn keep_frozen(
        &self,
        spec: &MeshUpgradeSpec,
        step: &PlanStep,
        bell: &mut Bell,
        hold: &Hold,
        news: &Telling,
    ) -> Lost {
        let mut told = self.watch.drift();
        loop {
            bell.rung();
            let looked = Instant::now();
            // Without its journal it is stopped at once, whatever else does not answer.
            let frozen = async { Ok(self.freeze_stands(spec, Some(step)).await) };
            let freeze = match tokio::try_join!(self.journal_stands(), frozen) {
                Ok(((), freeze)) => freeze,
                Err(gone) => {
                    hold.hold();
                    return Lost::Journal(gone);
                }
            };
            match freeze {
                Ok(()) => {
                    self.tell_drift(news, &mut told);
                    hold.let_go();
                }
                Err(what) => {
                    hold.hold();
                    self.tell_drift(news, &mut told);
                    // A cluster that has not answered for so long does not take its freeze anew either.
                    if what.is_passing() {
                        return Lost::Freeze(what.to_string());
                    }
                    self.tell(
                        news,
                        Mark::Warn,
                        format!("{} is held, since the freeze was disturbed: {what}", step.id),
                    );
                    // The look may have waited for a server that was away, and another driver have ended the upgrade.
                    if let Err(gone) = self.journal_stands().await {
                        return Lost::Journal(gone);
                    }
                    if let Err(why) = self.close_all(spec, Some(step), &BTreeMap::new()).await {
                        return Lost::Freeze(why);
                    }
                    // The step is still under way, and its record says so again.
                    if let Err(why) = self.announce(spec, step).await {
                        return Lost::Freeze(why.to_string());
                    }
                    let again = format!("the freeze is closed and proved again, {} goes on", step.id);
                    self.tell(news, Mark::Pass, again);
                    hold.let_go();
                }
            }
            tokio::select! {
                ring = bell.due(looked) => {
                    if ring == Ring::Freeze {
                        hold.hold();
                    }
                }
                () = tokio::time::sleep(WATCH_EVERY) => {}
            }
        }
    }

    /// Whether the journal is still there, the same, and this driver's. One that was suspended must not freeze the mesh
    /// again which another driver has brought to its end meanwhile.
    async fn journal_stands(&self) -> Result<(), CommandError> {
        let api: Api<MeshUpgrade> = Api::all(self.home.clone());
        let what = format!("read the journal {}", self.journal);
        let read = patiently(|| async {
            match api.get_opt(&self.journal).await {
                Ok(found) => Ok(found),
                Err(error) => Err(Fault::of_api(&what, &error)),
            }
        });
        match read.await {
            Ok(Some(found)) if found.metadata.uid == self.journal_uid => match found.status {
                Some(status) if status.epoch > self.epoch => {
                    let rival = status.holder.unwrap_or_else(|| "somebody else".to_owned());
                    Err(
                        CommandError::new(Exit::Held, format!("{rival} has taken this upgrade over"))
                            .hint("watch it with: kubectl mesh-upgrade status"),
                    )
                }
                Some(_) | None => Ok(()),
            },
            Ok(_) => Err(super::journal::gone(&self.journal, "it was deleted")),
            // With its kind, which the API server then knows no path of.
            Err(fault) if fault.is_not_found() => Err(super::journal::gone(&self.journal, &fault.to_string())),
            Err(fault) => {
                Err(CommandError::from(fault).hint("nothing further was done; resume with: kubectl mesh-upgrade apply"))
            }
        }
    }

    fn tell(&self, news: &Telling, mark: Mark, what: String) {
        self.ui.progress(mark, &what);
        // Nobody listens any more only when the upgrade is being left.
        news.send(News::Freeze(what)).ok();
    }

    fn tell_drift(&self, news: &Telling, told: &mut Drift) {
        let drift = self.watch.drift();
        if drift == *told {
            return;
        }
        for (cluster, changes) in &drift {
            if !changes.is_empty() && told.get(cluster) != Some(changes) {
                let what = format!("{cluster}: {}, and no guard is asked about it", describe(changes));
                self.ui.progress(Mark::Warn, &what);
            }
        }
        told.clone_from(&drift);
        news.send(News::Drift(drift)).ok();
    }

    pub(super) async fn thaw(&self, spec: &MeshUpgradeSpec) -> Result<String, String> {
        if spec.unguarded.is_some() {
            return Ok("done; the mesh was never frozen".to_owned());
        }
        // Where one cannot be opened the others are nevertheless.
        let opening = spec.plan.clusters.iter().map(|planned| async move {
            let opened = async {
                let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
                let freeze = self.freeze_of(spec, planned);
                patiently(|| freeze::open(cluster, &freeze)).await
            };
            let opened = opened.await;
            opened.map_err(|fault| fault.in_cluster(&planned.name).to_string())
        });
        let opened = join_all(opening).await;
        let several = opened.len() > 1;
        let evidence = all_or_why(opened)?;
        Ok(if several {
            format!(
                "thawed in all {} clusters: the mesh is open again",
                spec.plan.clusters.len()
            )
        } else {
            evidence
        })
    }

    /// The freeze while a step waits for its controller, which nothing else lets through.
    fn freeze_with(&self, spec: &MeshUpgradeSpec, planned: &PlanCluster, step: Option<&PlanStep>) -> MeshFreezeSpec {
        let mut freeze = self.freeze_of(spec, planned);
        let controllers = planned.scope.controllers.iter();
        let waited_for = controllers.filter(|controller| step.is_some_and(|step| step.id == controller.step));
        freeze.scope.controllers = waited_for.cloned().collect();
        freeze
    }

    pub(super) fn freeze_of(&self, spec: &MeshUpgradeSpec, planned: &PlanCluster) -> MeshFreezeSpec {
        MeshFreezeSpec {
            mesh: spec.mesh.clone(),
            upgrade: self.journal.clone(),
            home: (planned.name != self.members.home).then(|| self.members.home.clone()),
            from: spec.from.clone(),
            to: spec.to.clone(),
            holder: self.holder.clone(),
            epoch: self.epoch,
            since: self.since(),
            scope: FreezeScope {
                controllers: Vec::new(),
                ..planned.scope.clone()
            },
            unlock: None,
        }
    }
}

/// Whether a controller has to be let through for a step.
fn is_waited_for(planned: &PlanCluster, step: &PlanStep) -> bool {
    let mut controllers = planned.scope.controllers.iter();
    controllers.any(|controller| controller.step == step.id)
}
