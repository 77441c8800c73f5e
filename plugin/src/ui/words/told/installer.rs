//! Errors of helm and istioctl, and of what they render.

super::told! {
    "no helm was looked for" => "没有寻找 helm";
    "no istioctl was looked for" => "没有寻找 istioctl";
    "this mesh was installed by helm: install helm 3.14 or newer, or name it with --helm FILE"
        => "这个网格由 helm 安装：请安装 helm 3.14 或更新的版本，或者用 --helm FILE 指定";
    "{shown} is not helm 3 or 4: it answered {text:?}" => "{shown} 不是 helm 3 或 4：它的应答是 {text}";
    "{shown} is helm {version}, which knows no --reset-then-reuse-values: without it a release would lose its values, or keep the old chart's"
        => "{shown} 是 helm {version}，它不支持 --reset-then-reuse-values：没有它，release 会丢失其 values，或者保留旧 chart 的 values";
    "install helm 3.14 or newer, or name one with --helm FILE" => "请安装 helm 3.14 或更新的版本，或者用 --helm FILE 指定一个";
    "helm {} cannot go on with release {namespace}/{release}, whose objects helm 4 applied on the server: install helm 4, or name it with --helm FILE"
        => "helm {0} 无法继续处理 release {namespace}/{release}，其对象由 helm 4 在服务器端应用：请安装 helm 4，或者用 --helm FILE 指定它";
    "helm could not be asked: {error}" => "无法询问 helm：{error}";
    "name another one with --helm FILE" => "用 --helm FILE 指定另一个";
    "chart {} from {charts} has no readable Chart.yaml: {error}" => "{charts} 的 chart {0} 没有可读的 Chart.yaml：{error}";
    "chart {} cannot be read: {error}" => "无法读取 chart {0}：{error}";
    "its folders have no end" => "它的目录没有尽头";
    "{what} at {charts} has other contents than the upgrade goes by ({digest}, and not {recorded}): put them back, or go on with these by naming them, as --charts {}"
        => "{charts} 中的 {what} 内容与升级所依据的不同（{digest}，而不是 {recorded}）：请恢复原来的内容，或者指定它们以继续，如 --charts {0}";
    "there is no room for chart {}: {error}" => "没有放置 chart {0} 的地方：{error}";
    "chart {} {} is not to be had from {charts}: helm pull left no package"
        => "无法从 {charts} 取得 chart {0} {1}：helm pull 没有留下软件包";
    "chart {} {} is not to be had from {charts}: {why}" => "无法从 {charts} 取得 chart {0} {1}：{why}";
    "{charts} holds chart {} where {} was expected" => "{charts} 中是 chart {0}，预期的是 {1}";
    "{charts} holds chart {} {} and the target is {}: give a folder or repository that holds the target"
        => "{charts} 中是 chart {0} {1}，而目标是 {2}：请给出包含目标版本的目录或仓库";
    "chart {} {} cannot be rendered with the values of release {}: {}" => "无法用 release {2} 的 values 渲染 chart {0} {1}：{3}";
    "chart {} {} would run {image}: the values of release {}/{} pin it, by an image or by a tag that is not just a version; take that out of them, see helm get values {} -n {}"
        => "chart {0} {1} 会运行 {image}：release {2}/{3} 的 values 用镜像或者不只是版本号的 tag 固定了它；请从 values 中去掉它，见 helm get values {4} -n {5}";
    "cannot run helm: {error}" => "无法运行 helm：{error}";
    "helm did not end within {} s" => "helm 没有在 {} 秒内结束";
    "chart {} {} renders to no YAML with the values of release {}, at line {} column {} of what helm template prints"
        => "用 release {2} 的值渲染 chart {0} {1} 得到的不是 YAML，见 helm template 输出的第 {3} 行第 {4} 列";
    "this mesh was installed by istioctl: install istioctl {version}, or name it with --istioctl FILE"
        => "这个网格由 istioctl 安装：请安装 istioctl {version}，或者用 --istioctl FILE 指定";
    "{shown} {}: it is not istioctl {version}" => "{shown} {0}：它不是 istioctl {version}";
    "it is version {named:?}" => "它的版本是 {named}";
    "it tells no version" => "它没有说明版本";
    "{shown} is not istioctl {version}, which installs its own version alone: {why}"
        => "{shown} 不是 istioctl {version}，而 istioctl 只安装它自己的版本：{why}";
    "name another one with --istioctl FILE" => "用 --istioctl FILE 指定另一个";
    "istioctl {} cannot render what is installed: {}" => "istioctl {} 无法渲染已安装的内容：{}";
    "istioctl is {}, and the target is {}" => "istioctl 是 {}，而目标是 {}";
    "istioctl {} would run {image}: the values that are installed pin a tag, see {} of ConfigMap {}/{}"
        => "istioctl {0} 会运行 {image}：已安装的 values 固定了 tag，见 ConfigMap {2}/{3} 的 {1}";
    "cannot run istioctl: {error}" => "无法运行 istioctl：{error}";
    "istioctl did not end within {} s" => "istioctl 没有在 {} 秒内结束";
    "istioctl is of {}" => "istioctl 的版本是 {}";
    "cannot run {what}: {error}" => "无法运行 {what}：{error}";
    "{what} did not end within {} s" => "{what} 没有在 {0} 秒内结束";
    "was ended by signal {signal}" => "被信号 {signal} 结束";
    "ended with {code}" => "以 {code} 结束";
    "cannot relay to the API server: {error}" => "无法转发到 API server：{error}";
    "no random numbers are to be had" => "无法取得随机数";
    "the relay could not accept a connection" => "转发器无法接受一个连接";
    "a connection of the relay has ended" => "转发器的一个连接已结束";
    "this is a relay for one program" => "这是供一个程序使用的转发器";
    "the step has ended" => "这一步已经结束";
    "streams are not relayed" => "不转发数据流";
    "the values that istioctl installed cannot be read from ConfigMap {}/{name}: {why}"
        => "无法从 ConfigMap {0}/{name} 读取 istioctl 安装时的 values：{why}";
    "there is none, as old releases of Istio leave none" => "不存在：Istio 的旧版本不留下它";
    "it has no {VALUES_KEY}" => "其中没有 {VALUES_KEY}";
    "its {VALUES_KEY} are no JSON object" => "其 {VALUES_KEY} 不是 JSON 对象";
    "what istioctl installed cannot be listed: {}" => "无法列出 istioctl 安装的内容：{}";
    "no Deployment carries istioctl's labels of revision {name} in {namespace}: what it installed is not known"
        => "{namespace} 中没有带修订 {name} 的 istioctl 标签的 Deployment：不知道它安装了什么";
    "what istioctl renders is no YAML at line {} column {}" => "istioctl 渲染出的不是 YAML，见第 {} 行第 {} 列";
    "{shown} would be refused: {why}" => "{shown} 会被拒绝：{why}";
    "istioctl install would undo what was set beside the values, which no record in the cluster tells: {}; set it by values, as pilot.env or pilot.resources, with an istioctl install of the version that runs, or go by kubectl mesh-upgrade guide"
        => "istioctl install 会撤销在 values 之外设置的内容，而集群中没有它的记录：{}；请用正在运行的版本执行 istioctl install，通过 values 设置它（例如 pilot.env 或 pilot.resources），或者按 kubectl mesh-upgrade guide 手工升级";
    "helm release {}/{}: {reason}" => "helm release {0}/{1}：{reason}";
    "helm upgrade {} {why}" => "helm upgrade {0}：{why}";
    "helm uninstall {} {why}" => "helm uninstall {0}：{why}";
    "helm {} cannot give a release what another one owns: tags are moved by helm {TAKES_OWNERSHIP} and later"
        => "helm {0} 不能把另一个 release 拥有的对象交给某个 release：移动标签需要 helm {TAKES_OWNERSHIP} 或更新的版本";
    "istioctl install {}: {}" => "istioctl install {}：{}";
    "the stored release has {0} bytes, more than the {MAX_STORED} that a cluster stores"
        => "存储的 release 有 {0} 字节，超过集群能存储的 {MAX_STORED}";
    "the stored release inflates to more than {MAX_INFLATED} bytes" => "存储的 release 解压后超过 {MAX_INFLATED} 字节";
    "the values of the stored release have more than {MAX_VALUES} bytes" => "存储的 release 的 values 超过 {MAX_VALUES} 字节";
    "the stored release is not base64 of gzip, or it is cut off" => "存储的 release 不是 gzip 的 base64，或者不完整";
    "the stored release is not helm's JSON at line {line} column {column}"
        => "存储的 release 在第 {line} 行第 {column} 列不是 helm 的 JSON";
    "no revision of it is stored in the cluster" => "集群中没有存储它的任何修订";
    "helm release {}/{} cannot be read: {why}" => "无法读取 helm release {}/{}：{why}";
    "its only revision was never deployed" => "它唯一的修订从未部署成功";
    "cannot free {name} of its {status}: {}" => "无法让 {name} 摆脱 {status}：{0}";
    "chart {} {} was not to be had from {source} within {} s" => "没能在 {2} 秒内从 {source} 取得 chart {0} {1}";
}
