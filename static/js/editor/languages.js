// A file's language by its name; each grammar loads when the first such file opens.
const LOADERS = {
  python: () => import("@codemirror/lang-python").then((m) => m.python()),
  javascript: () => import("@codemirror/lang-javascript").then((m) => m.javascript({ jsx: true })),
  typescript: () => import("@codemirror/lang-javascript").then((m) => m.javascript({ jsx: true, typescript: true })),
  rust: () => import("@codemirror/lang-rust").then((m) => m.rust()),
  go: () => import("@codemirror/lang-go").then((m) => m.go()),
  java: () => import("@codemirror/lang-java").then((m) => m.java()),
  cpp: () => import("@codemirror/lang-cpp").then((m) => m.cpp()),
  html: () => import("@codemirror/lang-html").then((m) => m.html()),
  css: () => import("@codemirror/lang-css").then((m) => m.css()),
  json: () => import("@codemirror/lang-json").then((m) => m.json()),
  markdown: () => import("@codemirror/lang-markdown").then((m) => m.markdown()),
  sql: () => import("@codemirror/lang-sql").then((m) => m.sql()),
  yaml: () => import("@codemirror/lang-yaml").then((m) => m.yaml()),
  shell: () => legacy(() => import("@codemirror/legacy-modes/mode/shell"), "shell"),
  toml: () => legacy(() => import("@codemirror/legacy-modes/mode/toml"), "toml"),
  docker: () => legacy(() => import("@codemirror/legacy-modes/mode/dockerfile"), "dockerFile"),
};

async function legacy(load, name) {
  const [{ StreamLanguage }, mode] = await Promise.all([import("@codemirror/language"), load()]);
  return StreamLanguage.define(mode[name]);
}

const BY_ENDING = {
  py: "python", pyi: "python", js: "javascript", mjs: "javascript", cjs: "javascript", jsx: "javascript", ts: "typescript", tsx: "typescript",
  rs: "rust", go: "go", java: "java", c: "cpp", h: "cpp", cc: "cpp", cpp: "cpp", hpp: "cpp", html: "html", htm: "html", css: "css",
  json: "json", md: "markdown", markdown: "markdown", sql: "sql", yml: "yaml", yaml: "yaml", sh: "shell", bash: "shell", toml: "toml", cfg: "toml", ini: "toml",
};

/** Return the language extension for a path, or an empty one. */
export async function languageFor(path) {
  const name = path.split("/").pop().toLowerCase();
  const key = name.startsWith("dockerfile") ? "docker" : name === "makefile" ? "shell" : BY_ENDING[name.split(".").pop()];
  return key ? LOADERS[key]() : [];
}
