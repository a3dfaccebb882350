//! The rules that every workspace has. The shapes of keys are those that their makers document.

use regex::bytes::RegexBuilder;

use super::{Kind, Rule};

/// A rule as it is written down here.
pub struct Source {
    id: &'static str,
    kind: Kind,
    message: &'static str,
    /// A match holds one of these texts, in lower or upper case; one pass looks for those of all rules.
    hints: &'static [&'static str],
    pattern: &'static str,
    min_entropy: f64,
    endings: &'static [&'static str],
    /// Whether any text may stand where the secret stands, so that stand-ins must be told from secrets.
    is_loose: bool,
}

/// Words in keys of manuals and samples.
pub const SAMPLES: &[&str] = &["example", "xxxx", "****", "....", "placeholder", "redacted", "changeme"];
/// Words of values that stand in for a secret where any text may stand.
pub const STAND_INS: &[&str] = &[
    "change-me",
    "change_me",
    "your-",
    "your_",
    "yourkey",
    "dummy",
    "<",
    "${",
    "{{",
    "{}",
    "%(",
    "%s",
    "os.environ",
    "getenv",
    "process.env",
    "insert",
    "hidden",
    "todo",
    "test",
    "sample",
    "fake",
    "secret",
    "password",
];

const fn secret(
    id: &'static str,
    message: &'static str,
    hints: &'static [&'static str],
    pattern: &'static str,
    min_entropy: f64,
) -> Source {
    Source { id, kind: Kind::Secret, message, hints, pattern, min_entropy, endings: &[], is_loose: false }
}

const fn loose(
    id: &'static str,
    message: &'static str,
    hints: &'static [&'static str],
    pattern: &'static str,
    min_entropy: f64,
) -> Source {
    Source { id, kind: Kind::Secret, message, hints, pattern, min_entropy, endings: &[], is_loose: true }
}

const fn conflict(id: &'static str, hints: &'static [&'static str], pattern: &'static str) -> Source {
    Source {
        id,
        kind: Kind::Conflict,
        message: "A mark of an unresolved merge conflict",
        hints,
        pattern,
        min_entropy: 0.0,
        endings: &[],
        is_loose: false,
    }
}

const fn debug(
    id: &'static str,
    message: &'static str,
    hints: &'static [&'static str],
    pattern: &'static str,
    endings: &'static [&'static str],
) -> Source {
    Source { id, kind: Kind::Debug, message, hints, pattern, min_entropy: 0.0, endings, is_loose: false }
}

const PYTHON: &[&str] = &[".py", ".pyi"];
const SCRIPT: &[&str] = &[".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte"];

/// The most exact first: where several match one place, the first one speaks.
pub const BUILTIN: &[Source] = &[
    secret(
        "private-key",
        "Private key",
        &["PRIVATE KEY"],
        r"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{0,8192}-----END (?:[A-Z]{2,10} ){0,2}PRIVATE KEY(?: BLOCK)?-----)?",
        0.0,
    ),
    secret(
        "aws-access-key-id",
        "AWS access key id",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        r"\b(?P<secret>(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
        3.0,
    ),
    secret(
        "aws-secret-access-key",
        "AWS secret access key",
        &["aws"],
        r#"(?i)aws.{0,20}?(?:secret|access).{0,20}?['"=:\s](?P<secret>[A-Za-z0-9/+]{40})\b"#,
        4.0,
    ),
    secret(
        "github-token",
        "GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"\b(?P<secret>(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,255})\b",
        3.0,
    ),
    secret(
        "gitlab-token",
        "GitLab token",
        &["glpat-", "gldt-", "glrt-", "glsoat-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-"],
        r"\b(?P<secret>gl(?:pat|dt|rt|soat|cbt|ptt|ft|imt|agent)-[A-Za-z0-9_-]{20,64})\b",
        3.0,
    ),
    secret(
        "slack-token",
        "Slack token",
        &["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"],
        r"\b(?P<secret>xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{10,})\b",
        2.5,
    ),
    secret(
        "slack-webhook",
        "Slack webhook address",
        &["hooks.slack.com"],
        r"(?P<secret>https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_+-]{20,})",
        3.0,
    ),
    secret(
        "stripe-key",
        "Stripe live key",
        &["k_live_"],
        r"\b(?P<secret>(?:sk|rk)_live_[A-Za-z0-9]{16,200})\b",
        3.0,
    ),
    secret(
        "google-api-key",
        "Google API key",
        &["AIza"],
        r"\b(?P<secret>AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)",
        3.0,
    ),
    secret(
        "anthropic-key",
        "Anthropic API key",
        &["sk-ant-"],
        r"\b(?P<secret>sk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{32,200})",
        3.0,
    ),
    secret(
        "openai-key",
        "OpenAI API key",
        &["sk-"],
        r"\b(?P<secret>sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,200})",
        3.5,
    ),
    secret("npm-token", "npm token", &["npm_"], r"\b(?P<secret>npm_[A-Za-z0-9]{36})\b", 3.0),
    secret("pypi-token", "PyPI token", &["pypi-AgE"], r"\b(?P<secret>pypi-AgE[A-Za-z0-9_-]{50,1000})", 3.0),
    secret("huggingface-token", "Hugging Face token", &["hf_"], r"\b(?P<secret>hf_[A-Za-z0-9]{34,})\b", 3.0),
    secret(
        "sendgrid-key",
        "SendGrid key",
        &["SG."],
        r"\b(?P<secret>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})\b",
        3.0,
    ),
    secret(
        "telegram-token",
        "Telegram bot token",
        &[":AA"],
        r"\b(?P<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})\b",
        3.5,
    ),
    secret(
        "azure-storage-key",
        "Azure storage key",
        &["AccountKey="],
        r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)",
        4.0,
    ),
    secret("pyagent-key", "PyAgent API key", &["pya_"], r"\b(?P<secret>pya_[A-Za-z0-9_-]{32,128})\b", 3.0),
    secret(
        "json-web-token",
        "JSON web token",
        &["eyJ"],
        r"\b(?P<secret>eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})",
        3.5,
    ),
    loose(
        "address-password",
        "Password in an address",
        &["://"],
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@'"<>]{0,64}:(?P<secret>[^\s:/@'"<>{}$]{6,128})@[A-Za-z0-9\[]"#,
        2.5,
    ),
    loose(
        "bearer-token",
        "Bearer token",
        &["authorization"],
        r"(?i)\bauthorization['\x22]?\s{0,4}[:=]\s{0,4}['\x22]?(?:bearer|token|basic)\s{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{20,500})",
        3.5,
    ),
    loose(
        "assigned-secret",
        "Value assigned to a name that says secret",
        &[
            "apikey",
            "api_key",
            "api-key",
            "secret",
            "token",
            "passwd",
            "password",
            "passphrase",
            "credential",
            "private_key",
            "private-key",
            "privatekey",
        ],
        r#"(?i)(?:api[_-]?key|secret|token|passw(?:or)?d|passphrase|credential|private[_-]?key)[a-z0-9_.-]{0,20}['"]?\s{0,8}(?:=|:|:=|=>)\s{0,8}['"`](?P<secret>[^\s'"`]{12,200})['"`]"#,
        3.6,
    ),
    conflict("conflict-start", &["<<<<<<<"], r"^<<<<<<<(?: |\r?$)"),
    conflict("conflict-base", &["|||||||"], r"^\|\|\|\|\|\|\|(?: |\r?$)"),
    conflict("conflict-end", &[">>>>>>>"], r"^>>>>>>>(?: |\r?$)"),
    debug(
        "python-breakpoint",
        "A breakpoint",
        &["breakpoint(", "set_trace("],
        r"^[ \t]*(?:breakpoint\(|(?:i?pdb|pudb|bdb)\.set_trace\()",
        PYTHON,
    ),
    debug(
        "python-debugger-import",
        "A debugger is imported",
        &["pdb", "pudb", "pydevd"],
        r"^[ \t]*(?:import|from)[ \t]+(?:i?pdb|pudb|remote_pdb|pydevd)\b",
        PYTHON,
    ),
    debug(
        "javascript-debugger",
        "A debugger statement",
        &["debugger"],
        r"^[ \t]*debugger[ \t]*;?[ \t]*\r?$",
        SCRIPT,
    ),
    debug(
        "javascript-console",
        "A console.log",
        &["console."],
        r"^[ \t]*console\.(?:log|debug|trace|table)\(",
        SCRIPT,
    ),
    debug("rust-dbg", "A dbg! macro", &["dbg!("], r"\bdbg!\(", &[".rs"]),
    debug(
        "go-dump",
        "A dump of values",
        &["spew.dump", "pp.println", "log.printf(", "fmt.println("],
        r"^[ \t]*(?:spew\.Dump|pp\.Println|log\.Printf\(\x22DEBUG|fmt\.Println\(\x22DEBUG)",
        &[".go"],
    ),
    debug(
        "java-stack-trace",
        "A stack trace printed",
        &["printstacktrace"],
        r"\.printStackTrace\(\s*\)",
        &[".java", ".kt"],
    ),
    debug(
        "ruby-pry",
        "A breakpoint",
        &["binding.", "byebug"],
        r"^[ \t]*(?:binding\.(?:pry|irb|break)|byebug)\b",
        &[".rb"],
    ),
    debug("php-dump", "A dump of values", &["dump(", "dd("], r"^[ \t]*(?:var_dump|dd|dump)\(", &[".php"]),
];

impl Source {
    /// Return the rule ready to look with.
    pub fn compile(&self) -> Rule {
        let regex = RegexBuilder::new(self.pattern).unicode(false).multi_line(true).build();
        Rule {
            id: self.id.to_owned(),
            kind: self.kind,
            message: self.message.to_owned(),
            regex: regex.unwrap_or_else(|error| panic!("{}: {error}", self.id)),
            min_entropy: self.min_entropy,
            is_loose: self.is_loose,
            hints: self.hints,
            endings: self.endings.iter().map(|&ending| ending.to_owned()).collect(),
        }
    }
}
