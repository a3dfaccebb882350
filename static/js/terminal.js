// <pa-terminal>: a shell in the workspace's sandbox. Loaded only when somebody opens it.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import xtermCss from "@xterm/xterm/css/xterm.css" with { type: "text" };
import { LitElement, html, nothing } from "lit";

import { cspDocument, openUnderPolicy } from "./terminal/csp.js";
import { TerminalLink } from "./terminal/link.js";
import { muteReplies } from "./terminal/mute.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(xtermCss);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
Terminal.strings.promptLabel = "Terminal. Press F6 to leave it.";

const ANSI = {
  light: {
    black: "#1c1d21", red: "#b3261e", green: "#17703c", yellow: "#855300", blue: "#2f55d4", magenta: "#8a2d9c", cyan: "#0b6e7f", white: "#595c66",
    brightBlack: "#6b6e78", brightRed: "#c7362d", brightGreen: "#1d8a4a", brightYellow: "#9a6200", brightBlue: "#4468e0", brightMagenta: "#a040b3", brightCyan: "#0f8196", brightWhite: "#1c1d21",
  },
  dark: {
    black: "#2b2d35", red: "#ff9a92", green: "#6fd394", yellow: "#f0c067", blue: "#8ba5ff", magenta: "#dd9cf0", cyan: "#7fd4e4", white: "#e8e9ed",
    brightBlack: "#9094a0", brightRed: "#ffb3ad", brightGreen: "#93e2b0", brightYellow: "#f7d48f", brightBlue: "#a6baff", brightMagenta: "#e8b8f7", brightCyan: "#a3e2ee", brightWhite: "#ffffff",
  },
};

function theme() {
  const style = getComputedStyle(document.documentElement);
  const value = (name) => style.getPropertyValue(name).trim();
  const isDark = style.colorScheme.includes("dark");
  return {
    ...(isDark ? ANSI.dark : ANSI.light),
    background: value("--bg-sunken"), foreground: value("--fg"), cursor: value("--fg"), cursorAccent: value("--bg"),
    selectionBackground: isDark ? "#3d4f8f" : "#c3cef5",
  };
}

class PaTerminal extends LitElement {
  static properties = { state: { state: true }, message: { state: true }, isSpoken: { state: true } };

  #terminal = null;
  #fit = new FitAddon();
  #link = null;
  #observer = null;
  #fitting = 0;
  #schemes = matchMedia("(prefers-color-scheme: dark)");
  #retheme = () => this.#terminal && (this.#terminal.options.theme = theme());
  #themeObserver = new MutationObserver(this.#retheme);

  constructor() {
    super();
    this.state = "connecting";
    this.message = "";
    this.isSpoken = false;
  }

  createRenderRoot() {
    return this;
  }

  render() {
    return html`<div class="terminal-bar">
        <span role="status">${this.#words()}</span>
        <span class="grow"></span>
        <button type="button" class="button quiet" aria-pressed=${this.isSpoken ? "true" : "false"} @click=${this.#speak}>Screen reader</button>
        ${this.state === "over" ? html`<button type="button" class="button" @click=${this.#again}>Open a new terminal</button>` : nothing}
      </div>
      <div class="terminal-screen"></div>`;
  }

  firstUpdated() {
    const place = this.querySelector(".terminal-screen");
    this.#terminal = new Terminal({
      allowProposedApi: false, cursorBlink: false, documentOverride: cspDocument(), fontSize: 13, minimumContrastRatio: 4.5,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono").trim() || "monospace",
      scrollback: 5000, theme: theme(), windowOptions: {},
    });
    muteReplies(this.#terminal);
    this.#terminal.loadAddon(this.#fit);
    openUnderPolicy(this.#terminal, place);
    this.#terminal.attachCustomKeyEventHandler((event) => this.#mayHandle(event));
    this.#terminal.onData((text) => this.#link?.type(new TextEncoder().encode(text)));
    this.#terminal.onBinary((text) => this.#link?.type(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    this.#terminal.onResize(({ rows, cols }) => this.#link?.resize(rows, cols));
    this.#observer = new ResizeObserver(() => {
      clearTimeout(this.#fitting);
      this.#fitting = setTimeout(() => this.#refit(), 80);
    });
    this.#observer.observe(place);
    this.#themeObserver.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.#schemes.addEventListener("change", this.#retheme);
    this.#refit();
    this.#connect();
    this.focus();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#fitting);
    this.#observer?.disconnect();
    this.#themeObserver.disconnect();
    this.#schemes.removeEventListener("change", this.#retheme);
    this.#link?.leave();
    this.#terminal?.dispose();
  }

  focus() {
    this.#terminal?.focus();
  }

  #connect() {
    this.#link = new TerminalLink(document.body.dataset.workspaceId, {
      size: () => ({ rows: this.#terminal.rows, cols: this.#terminal.cols }),
      onState: (state, message = "") => Object.assign(this, { state, message }),
      onReset: () => this.#terminal.reset(),
      onBytes: (bytes, done) => this.#terminal.write(bytes, done),
    });
    this.#link.open();
  }

  #again() {
    this.#terminal.reset();
    this.#connect();
    this.focus();
  }

  #speak() {
    this.isSpoken = !this.isSpoken;
    this.#terminal.options.screenReaderMode = this.isSpoken;
    this.focus();
  }

  #refit() {
    // A hidden panel has no size; fitting to it would tell the shell that it is one column wide.
    if (this.offsetParent && this.querySelector(".terminal-screen").clientHeight > 0) this.#fit.fit();
  }

  #mayHandle(event) {
    if (event.key !== "F6") return true;
    // The way out by keyboard: a terminal takes Tab for itself.
    if (event.type === "keydown") this.querySelector(".terminal-bar button").focus();
    event.preventDefault();
    return false;
  }

  #words() {
    return this.message || { connecting: "Starting …", open: "Connected; runs in the workspace's sandbox", lost: "Connection lost; trying again …", over: "Ended" }[this.state];
  }
}

customElements.define("pa-terminal", PaTerminal);
