//! Findings on configuration against the target: what a release changes, found in objects and settings.

super::told! {
    "not looked at: {what}" => "没有查看：{what}";
    "get the permission to read it, then check again" => "取得读取它的权限，然后重新检查";
    "nothing that {code} is about" => "没有 {code} 所指的内容";
    "since 1.{minor}, {}" => "自 1.{minor} 起，{0}";
    "and {more} more" => "另有 {more} 个";
    "it sets {detail}" => "它设置了 {detail}";
    "the release of ztunnel is called {}" => "ztunnel 的 release 名为 {}";
    "ztunnel runs: pods that start after the upgrade have their DNS captured, the others do not"
        => "有 ztunnel 在运行：升级之后启动的 Pod，其 DNS 会被捕获，其余的不会";
    "it is of the bundle {bundle}; istiod reads that of v1.0.0, whose fields are others" => "它属于 bundle {bundle}；istiod 读取 v1.0.0 的，其字段不同";
    "the CNI captures the DNS of ambient pods already: behind a ztunnel of 1.24, pods that started before the CNI of 1.24 resolve no names"
        => "CNI 已经在捕获 ambient Pod 的 DNS：在 1.24 的 ztunnel 之后，先于 1.24 的 CNI 启动的 Pod 无法解析名称";
    "switch ambient.dnsCapture off in the CNI's values before the upgrade and restart the ambient workloads; switch it on again after it. By hand: upgrade the CNI, restart the workloads, then upgrade ztunnel"
        => "升级之前在 CNI 的 values 中关闭 ambient.dnsCapture 并重启 ambient 工作负载，升级之后再打开。手工升级则：先升级 CNI，重启工作负载，再升级 ztunnel";
    "the way changes nothing of how DNS of ambient pods is captured" => "这条路径不改变 ambient Pod 的 DNS 捕获方式";
    "it serves {}; istiod reads inference.networking.k8s.io/v1" => "它提供 {}；istiod 读取 inference.networking.k8s.io/v1";
    "{} is served as {}: Istio {minor} reads {read}" => "{0} 以 {1} 提供：Istio {minor} 读取 {read}";
    "install the Gateway API 1.0 or newer before the upgrade, with the channel that you use now"
        => "升级之前用现在使用的渠道安装 Gateway API 1.0 或更新的版本";
    "{used} {resource}, bundle {}" => "{used} 个 {resource}，bundle {0!}";
    "unknown" => "未知";
    "an unknown version" => "未知版本";
    "{used} {} come with the bundle {found}: Istio {minor} ignores them below {minimum}"
        => "有 {used} 个 {0}，bundle 为 {found}：低于 {minimum} 时 Istio {minor} 会忽略它们";
    "{used} {} come with the bundle {found}: Istio {minor} ignores them below {minimum}, as the istiod that runs does already"
        => "有 {used} 个 {0}，bundle 为 {found}：低于 {minimum} 时 Istio {minor} 会忽略它们，正在运行的 istiod 本来就忽略它们";
    "the upgrade changes nothing for them; where they are wanted, install the Gateway API {minimum} or newer once Istio {minor} runs"
        => "升级不会改变它们；如果需要它们，在运行 Istio {minor} 之后安装 Gateway API {minimum} 或更新的版本";
    "{used} {} come with the bundle {found}: Istio {} ignores them from {below} on"
        => "有 {used} 个 {0}，bundle 为 {found}：从 {below} 起 Istio {1} 会忽略它们";
    "right before the upgrade install the Gateway API {minimum} or newer in its experimental channel, which goes on to serve what the running istiod reads; do not restart istiod between the two: once restarted, an older one may ignore these objects"
        => "在升级之前不久安装 Gateway API {minimum} 或更新版本的 experimental 渠道，它继续提供正在运行的 istiod 所读取的版本；在这两步之间不要重启 istiod：旧的 istiod 重启之后可能会忽略这些对象";
    "{used} {} are ignored by the istiod that runs, and read by Istio {minor}: those of its gateways and services take effect with the upgrade"
        => "有 {used} 个 {0} 被正在运行的 istiod 忽略，而 Istio {minor} 会读取它们：其中指向 Istio 的网关和服务的，升级之后就会生效";
    "look at them before the upgrade with kubectl get {} -A, and delete those that are not to take effect"
        => "升级之前用 kubectl get {} -A 查看它们，并删除不应生效的";
    "{used} {} are read by the istiod that runs, and ignored by Istio {minor}, which reads {instead}: those of its gateways cease to take effect with the upgrade"
        => "正在运行的 istiod 读取 {used} 个 {0}，而 Istio {minor} 会忽略它们，改为读取 {instead}：其中指向 Istio 的网关的，升级之后不再生效";
    "right before the upgrade install the Gateway API 1.5 or newer, make {instead} that say the same, and let routes name them as parents, too"
        => "在升级之前不久安装 Gateway API 1.5 或更新的版本，创建内容相同的 {instead}，并让路由也把它们列为 parent";
    "keep a bundle below {below}, in its experimental channel, until a newer Istio runs that reads the later ones"
        => "保留低于 {below} 的 bundle（experimental 渠道），直到运行着能读取更新 bundle 的 Istio";
    "install the bundle's experimental channel before the upgrade: it goes on to serve v1alpha2, which the standard channel no longer does"
        => "在升级之前安装该 bundle 的 experimental 渠道：它继续提供 v1alpha2，而 standard 渠道已不再提供";

    // the ambient mesh
    "the CNI looks at the iptables rules of each ambient pod when it starts, and mends them"
        => "CNI 启动时会检查每个 ambient Pod 的 iptables 规则并修正";
    "it is labelled istio.io/dataplane-mode=ambient and stands in excludeNamespaces of the CNI: its pods leave the mesh with the upgrade"
        => "它带有标签 istio.io/dataplane-mode=ambient，又在 CNI 的 excludeNamespaces 中：升级后它的 Pod 会离开网格";
    "take it out of excludeNamespaces in the values of the chart cni, or take the label off it"
        => "在 chart cni 的 values 中把它从 excludeNamespaces 去掉，或者去掉它的标签";
    "{MAX_MESSAGE} is set for {pods} pods" => "已为 {pods} 个 Pod 设置 {MAX_MESSAGE}";
    "each ztunnel knows {pods} pods, those outside of the mesh as well, and {MAX_MESSAGE} is not set"
        => "每个 ztunnel 知道 {pods} 个 Pod（网格之外的也包括在内），而没有设置 {MAX_MESSAGE}";
    "set pilot.env.{MAX_MESSAGE} in istiod's values to 33554432, or 1 MiB for each 10,000 workloads and services"
        => "在 istiod 的 values 中把 pilot.env.{MAX_MESSAGE} 设为 33554432，或者每 10,000 个工作负载和服务 1 MiB";

    // what an object says
    "a record that istioctl keeps of what it installed" => "istioctl 保存的安装记录";
    "left over" => "遗留";
    "delete it once the upgrade is done" => "升级完成之后删除它";
    "its release of Istio is the last that it installs" => "它只会安装自己那个版本的 Istio";
    "nobody acts on it" => "没有组件处理它";
    "TLS {mode} to {host} without {what}" => "到 {host} 的 TLS {mode} 没有 {what}";
    "caCertificates and sni" => "caCertificates 和 sni";
    "the host {host}" => "主机 {host}";
    "targetPort {port} with the resolution NONE" => "resolution 为 NONE 却有 targetPort {port}";
    "the resolution is NONE" => "resolution 为 NONE";
    "for the service account {account}" => "用于 ServiceAccount {account}";
    "reads {found}" => "读取 {found}";
    "selects pods of the managed gateway {namespace}/{name}" => "选择了托管网关 {namespace}/{name} 的 Pod";
    "selects {LABEL}={gateway}" => "选择 {LABEL}={gateway}";
    "ISTIO_META_DNS_AUTO_ALLOCATE is {value}" => "ISTIO_META_DNS_AUTO_ALLOCATE 为 {value}";
    "mirrors to {host}" => "镜像到 {host}";
    "{} in {count} pods, as {example}" => "{count} 个 Pod 带有 {0}，例如 {example}";
    "53 of traffic.sidecar.istio.io/excludeOutboundPorts" => "traffic.sidecar.istio.io/excludeOutboundPorts 中的 53";
    "ISTIO_META_DNS_AUTO_ALLOCATE of proxy.istio.io/config" => "proxy.istio.io/config 中的 ISTIO_META_DNS_AUTO_ALLOCATE";
    "defaultProviders.tracing names {provider}" => "defaultProviders.tracing 指定 {provider}";
    "tracing is set" => "设置了 tracing";
    "istio.io/dry-run is true" => "istio.io/dry-run 为 true";
    "connectionPool is set" => "设置了 connectionPool";
    "outlierDetection without minHealthPercent" => "有 outlierDetection 而没有 minHealthPercent";
    "registered for the group {group}" => "为组 {group} 注册";
    "{host} is declared in {other} as well" => "{host} 在 {other} 中也有声明";
    "{host} has the form of a Service's name in {other}" => "{host} 具有 {other} 中 Service 名称的形式";
    "{by} names it" => "{by} 提到它";

    // EnvoyFilters
    "private addresses are internal no more (Envoy 1.33)" => "私有地址不再算内部地址（Envoy 1.33）";
    "its default is an empty set (Envoy 1.33)" => "其默认值是空集（Envoy 1.33）";
    "Envoy 1.33 removed it" => "Envoy 1.33 已移除";
    "Istio removed Lightstep" => "Istio 已移除 Lightstep";
    "istiod sets it for gateways" => "istiod 会为网关设置它";
    "istiod always sets it for gateways" => "istiod 总是为网关设置它";

    // settings of istiod
    "{name}, gone by 1.{by}: {effect}" => "{name}，最迟在 1.{by} 中已移除：{effect}";
    "requests that a service has not seen are always sent again" => "服务没有看到的请求总是重发";
    "a 503 is not sent again unless a route says so" => "除非路由这样规定，503 不会重发";
    "discoverySelectors always select configuration, too" => "discoverySelectors 总是也选择配置";
    "targetPort is always respected where resolution is NONE" => "resolution 为 NONE 时总是遵从 targetPort";
    "{name}, gone in 1.{since}: {effect}" => "{name}，1.{since} 中已移除：{effect}";
    "Services of type ExternalName are always aliases" => "ExternalName 类型的 Service 总是别名";
    "the most specific of overlapping wildcard hosts always wins" => "重叠的通配主机名中总是最具体的优先";
    "where a DestinationRule starts TLS the certificate is always verified" => "DestinationRule 启用 TLS 之处总是校验证书";
    "differences are no longer compared with the whole" => "不再把增量与全量比较";
    "SNI is always set from the host" => "SNI 总是由主机名设置";
    "metrics are rotated by the proxy's configuration only" => "指标轮换只由代理的配置决定";
    "gateways always make a span of their own for each upstream request" => "网关总是为每个上游请求生成自己的 span";
    "discoverySelectors is set" => "设置了 discoverySelectors";
    "defaultConfig.proxyMetadata.ISTIO_META_DNS_AUTO_ALLOCATE is {value}"
        => "defaultConfig.proxyMetadata.ISTIO_META_DNS_AUTO_ALLOCATE 为 {value}";
    "the provider {name} is of {gone}" => "provider {name} 的类型是 {gone}";
    "without a name" => "（没有名称）";
    "defaultConfig.tracing.{name} is set" => "设置了 defaultConfig.tracing.{name}";
}
