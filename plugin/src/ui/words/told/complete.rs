//! Whether every text that people may read is told in Chinese: the sources are read, and each text in them is looked up.

use super::{Template, chinese, pairs};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What is not told to people in their language, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("plugin/src/ui/words", "has both languages side by side"),
    ("shared/src/api", "definitions, and the messages of their schemas"),
    ("shared/src/finding", "told by code, in words/findings"),
    (
        "shared/src/guard",
        "policies, what admission answers, and the reference",
    ),
    ("shared/src/event.rs", "Events"),
    ("shared/src/phase.rs", "rules of a schema"),
    ("shared/src/inventory/sample.rs", "for tests"),
    ("shared/src/gitops/sample.rs", "for tests"),
    ("shared/src/gitops/patch.rs", "patches of objects, in YAML"),
    ("shared/src/preflight/rules/coverage.rs", "the reference"),
    ("shared/src/prompt.rs", "conditions and Events of Mesh"),
    ("shared/src/prompt/agree.rs", "conditions and Events of Mesh"),
];

/// Names, which are the same in every language.
const NAMES: &[&str] = &[
    "helm release {}/{}",
    "helm release {namespace}/{name}",
    "guard install",
    "guard uninstall",
    "Service zipkin",
    "control-plane in (sail-operator, servicemesh-operator3)",
    "app.kubernetes.io/name in (argocd-application-controller, openshift-gitops-application-controller)",
    "Flux HelmRelease {}/{}",
    "Flux Kustomization {}/{}",
    "ValidatingWebhookConfiguration istiod-default-validator",
    " --strategy canary",
    // Rules to be granted, in YAML.
    "# Role in the namespace {namespace}\nrules:",
    "# ClusterRole\nrules:",
    "- apiGroups: [{group:?}]\n  resources: [{resource:?}]",
    // What the API server says, looked for in its answers.
    "requested resource",
    "failed calling webhook",
    "admission webhook",
    "denied the request",
    " at line ",
    // What helm says of a source that gives no answer, looked for in its errors.
    "dial tcp",
    "no such host",
    "connection refused",
    "connection reset",
    "network is unreachable",
    "TLS handshake",
    "deadline exceeded",
    " was not to be had from ",
];

/// Macros whose texts are for logs and for finding faults.
const FOR_LOGS: [&str; 7] = ["debug", "error", "info", "trace", "warn", "event", "matches"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().unwrap().to_string_lossy().ends_with("tests");
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test {
            found.push(path);
        }
    }
}

/// The texts of each file, but for those in tests, logs and documentation.
fn texts() -> BTreeMap<String, Vec<String>> {
    let mut files = Vec::new();
    for krate in ["plugin/src", "shared/src"] {
        sources(&root().join(krate), &mut files);
    }
    let named = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    let texts = files.iter().map(|path| {
        let source = fs::read_to_string(path).unwrap();
        let mut texts = Vec::new();
        collect(source.parse().unwrap(), &mut texts);
        (named(path), texts)
    });
    texts.collect()
}

fn collect(tokens: TokenStream, texts: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                if matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == '!') {
                    at += 1;
                }
                let Some(TokenTree::Group(attribute)) = tokens.get(at) else {
                    continue;
                };
                at += 1;
                let attribute = attribute.stream();
                let shown = attribute.to_string();
                if shown.starts_with("error") {
                    collect(attribute, texts);
                } else if shown.starts_with("cfg") && shown.contains("test") {
                    // What it is for ends with its braces, or with a semicolon.
                    let is_end = |token: &TokenTree| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(mark) => mark.as_char() == ';',
                        _ => false,
                    };
                    at += tokens[at..].iter().position(is_end).map_or(0, |end| end + 1);
                }
            }
            TokenTree::Ident(name) => {
                let name = name.to_string();
                let is_macro = matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
                let is_for_logs = FOR_LOGS.contains(&name.as_str()) || name.contains("assert");
                if is_macro && is_for_logs {
                    at += 2;
                }
            }
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal.clone()) {
                    texts.push(text.value());
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// Whether a text says something, in words: two of them at least. A command is typed as it stands, a name is a name.
fn says_something(text: &str) -> bool {
    let said = Template::parse(text).fill(&|_| "0".to_owned());
    let is_command = ["kubectl ", "helm ", "istioctl "]
        .iter()
        .any(|tool| said.starts_with(tool))
        && ![", ", "; ", " (", ": "].iter().any(|more| said.contains(more));
    let is_word = |word: &&str| {
        let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        word.len() > 1
            && word
                .chars()
                .all(|letter| letter.is_alphabetic() || "-'".contains(letter))
    };
    let is_head = text == text.to_uppercase();
    let is_name = NAMES.contains(&text) || is_head || is_script(text);
    said.split_whitespace().filter(is_word).count() > 1 && !is_command && !is_name
}

/// Whether a text is of a runbook's commands, or of an object that they are given.
fn is_script(text: &str) -> bool {
    let marks = [" | grep ", " && ", "\"$", "\nsay ", "\nuntil "];
    let is_marked = marks.iter().any(|mark| text.contains(mark));
    is_marked || text.starts_with("apiVersion: ") || text.trim_start().starts_with("if ") && text.contains("; then")
}

#[test]
fn every_text_in_the_sources_is_told_in_chinese() {
    let told: BTreeSet<&str> = pairs().map(|(english, _)| english).collect();
    let mut missing = Vec::new();
    let mut looked_at = 0;
    for (file, texts) in texts() {
        if ELSEWHERE.iter().any(|(place, _)| file.starts_with(place)) {
            continue;
        }
        for text in texts.iter().filter(|text| says_something(text)) {
            looked_at += 1;
            if !told.contains(text.as_str()) {
                missing.push(format!("{file}: {text:?}"));
            }
        }
    }
    assert!(
        looked_at > 800,
        "only {looked_at} texts were found: is the scan broken?"
    );
    let count = missing.len();
    assert!(
        missing.is_empty(),
        "{count} texts have no Chinese in plugin/src/ui/words/told:\n{}",
        missing.join("\n")
    );
}

/// The heads of tables, as the sources give them to a method that prints one.
fn heads(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        heads(group.stream(), found);
        let before = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .map(ToString::to_string);
        if !matches!(before.as_deref(), Some("table" | "choices")) {
            continue;
        }
        let mut first = group.stream().into_iter().take(2);
        if let (Some(TokenTree::Punct(_)), Some(TokenTree::Group(head))) = (first.next(), first.next()) {
            let mut texts = Vec::new();
            collect(head.stream(), &mut texts);
            found.extend(texts.iter().map(|text| text.trim().to_owned()));
        }
    }
}

#[test]
fn every_head_of_a_table_is_told_in_chinese() {
    let mut files = Vec::new();
    sources(&root().join("plugin/src"), &mut files);
    let mut found = BTreeSet::new();
    for path in files.iter().filter(|path| !path.ends_with("ui/table.rs")) {
        heads(fs::read_to_string(path).unwrap().parse().unwrap(), &mut found);
    }
    // Numbers to choose by need none.
    found.remove("");
    let told: BTreeSet<String> = super::super::heads::all().map(str::to_owned).collect();
    assert!(found.len() > 40, "only {found:?}: is the scan broken?");
    assert_eq!(
        found, told,
        "plugin/src/ui/words/heads.rs tells other heads than there are"
    );
}

#[test]
fn no_table_tells_what_nobody_says() {
    let said: BTreeSet<String> = texts().into_values().flatten().collect();
    let mut seen = BTreeSet::new();
    for table in super::TABLES {
        for (english, _) in *table {
            assert!(said.contains(*english), "nobody says {english:?} any more");
            assert!(seen.insert(english), "{english:?} is told twice");
        }
    }
    let files = texts();
    for (place, _) in ELSEWHERE {
        let is_there = files.keys().any(|file| file.starts_with(place));
        assert!(is_there, "{place} is gone");
    }
}

/// What has to stand in both languages as it is: flags, and what is typed in capitals.
fn typed(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-_".contains(letter)));
    let stands_for = ["FILE", "MESH", "NAME", "REVISION", "TAG", "TEXT", "VERSION"];
    let is_typed = |word: &&str| word.starts_with("--") && word.len() > 2 || stands_for.contains(word);
    words.filter(is_typed).collect()
}

#[test]
fn each_text_is_recognised_and_keeps_its_values() {
    let mut wrong = Vec::new();
    for (english, told) in pairs() {
        let (from, to) = (Template::parse(english), Template::parse(told));
        let mut gaps = (from.names().collect::<Vec<_>>(), to.names().collect::<Vec<_>>());
        // Where nothing stands between two gaps, the first has it all.
        let empty = from.met();
        let sample = |name: &str| {
            if empty.contains(&name) {
                String::new()
            } else {
                format!("«{name}»")
            }
        };
        let shown = from.fill(&|gap| sample(&gap.name));
        let expected = to.fill(&|gap| sample(&gap.name));
        let got = chinese(&shown, true);
        if got.as_deref() != Some(expected.as_str()) {
            wrong.push(format!("{english:?} is taken for another text: {got:?}"));
        }
        gaps.0.sort_unstable();
        gaps.1.sort_unstable();
        gaps.0.dedup();
        gaps.1.dedup();
        if gaps.0 != gaps.1 {
            wrong.push(format!("{english:?} and {told:?} have other gaps"));
        }
        if typed(english) != typed(told) {
            wrong.push(format!("{english:?} and {told:?} name other things"));
        }
        let is_chinese = told.chars().any(|letter| letter > '\u{2e7f}');
        if !is_chinese && told.contains(' ') {
            wrong.push(format!("{told:?} is not Chinese"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_put_together_is_told_by_its_parts() {
    for (english, told) in [
        // The last gap of the second text ends where the third begins.
        (
            "annotation a/b of Mesh shop, line 2: missing field",
            "Mesh shop 的注解 a/b，第 2 行：missing field",
        ),
        (
            "the cluster could not be observed: it was not asked",
            "无法观察这个集群：没有询问它",
        ),
        (
            "3 sidecars, as Pod shop/a, in shop (2), and 1 more run 1.29.1, 2 minors behind 1.31.0",
            "3 个 sidecar（例如 Pod shop/a，位于 shop (2)，另有 1 个） 运行 1.29.1，比 1.31.0 落后 2 个次要版本",
        ),
        (
            "\u{1b}[1mthe guard is installed\u{1b}[0m",
            "\u{1b}[1m守卫已安装\u{1b}[0m",
        ),
        ("  the guard is installed", "  守卫已安装"),
        ("  - the guard is installed", "  - 守卫已安装"),
        (
            "let an administrator of the cluster grant you:\nrules: []",
            "请集群管理员授予您：\nrules: []",
        ),
        (
            "The mesh configuration uses a tracer that is gone: the provider traces is of lightstep",
            "网格配置使用了已移除的追踪器：provider traces 的类型是 lightstep",
        ),
        (
            "revision default (1.30.3) runs beside canary; uses seen in this cluster: 2, as Namespace shop: its \
             label istio.io/rev names it",
            "修订 default（1.30.3）与 canary 并存；在这个集群中看到 2 处引用，例如 Namespace shop：其标签 istio.io/rev \
             指定了它",
        ),
        (
            "revision default (1.30.3) runs beside canary; uses seen in this cluster: 1, as 3 proxies (sidecar) \
             in namespace shop, as Pod reviews-v1-0: injected by it",
            "修订 default（1.30.3）与 canary 并存；在这个集群中看到 1 处引用，例如 命名空间 shop 中的 3 个代理（sidecar，\
             例如 Pod reviews-v1-0）：由它注入",
        ),
        (
            "the revisions default (1.30.3), canary (1.31.0) run beside each other; uses of revision default seen in this \
             cluster: 2, as Namespace shop: its label istio.io/rev names it; nothing was seen in this cluster that refers \
             to revision canary",
            "修订 default (1.30.3), canary (1.31.0) 同时运行；在这个集群中发现 2 处引用修订 default，例如 Namespace \
             shop：其标签 istio.io/rev 指定了它；在这个集群中没有发现引用修订 canary 的对象",
        ),
        // The template of the first and the last meets the whole of the list, too.
        (
            "revision default is still in use: Namespace shop: its label istio.io/rev names it; tag prod: it leads to it; \
             Namespace pay: its label istio.io/rev names it",
            "修订版 default 仍在使用：Namespace shop：其标签 istio.io/rev 指定了它；标签 prod：指向它；Namespace pay：其标签 \
             istio.io/rev 指定了它",
        ),
        (
            "Namespace shop: its label istio.io/rev names it; tag prod: it leads to it",
            "Namespace shop：其标签 istio.io/rev 指定了它；标签 prod：指向它",
        ),
        (
            "east and west are one cluster: their kube-system has the UID 1",
            "east 和 west 是同一个集群：其 kube-system 的 UID 都是 1",
        ),
    ] {
        assert_eq!(chinese(english, false).as_deref(), Some(told), "{english}");
    }
    for foreign in [
        "the server could not find the requested resource on host",
        "unable to connect to the server",
        "default",
        "expired",
        "kubectl mesh-upgrade apply default --to 1.31.0",
    ] {
        assert_eq!(chinese(foreign, false), None, "{foreign}");
    }
}

/// However a text is made, telling it takes no longer than going through the tables so many times.
#[test]
fn no_text_takes_long_to_tell() {
    let list = "the list of, a (b, c): d; and e of f to g, ".repeat(200);
    let clauses = "cannot x: not allowed to y: {} and {}; it is there, ".repeat(200);
    let lines = "kubectl is: there, of a\n".repeat(300);
    let brackets = "(".repeat(4000) + " a " + &")".repeat(4000);
    let endless = "a ".repeat(100_000);
    for text in [list, clauses, lines, brackets, endless] {
        let telling = super::Telling::default();
        telling.chinese(&text, false, 0);
        let most = super::MOST_LOOKS + super::DEEPEST * 2;
        assert!(telling.looks.get() <= most, "{} looks", telling.looks.get());
    }
    assert_eq!(
        chinese(&"the guard is installed\n".repeat(2000), false),
        None,
        "too long"
    );
}
