// The main job in Debian's Firefox over WebDriver BiDi. Usage: node firefox.mjs SETUP_URL ARCHIVE FIREFOX
import puppeteer from "puppeteer-core";

const [setupUrl, archive, executablePath] = process.argv.slice(2);
const origin = new URL(setupUrl).origin;
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true, args: ["--width=1440", "--height=900"] });
const page = await browser.newPage();
await page.setViewport({ width: 1440, height: 900 });
page.setDefaultTimeout(60_000);
const complaints = [];
page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
// Firefox, unlike Chromium, reports a request that leaving the page cut off as an error.
const isCutOff = (text) => /NetworkError when attempting to fetch resource|AbortError: The operation was aborted/.test(text);
page.on("console", (message) => message.type() === "error" && !isCutOff(message.text()) && complaints.push(`console: ${message.text()}`));

const say = (text) => console.log(`${(performance.now() / 1000).toFixed(1)} s  ${text}`);
const fill = (selector, text) => page.locator(selector).fill(text);
const click = (selector) => page.locator(selector).click();
const see = (selector, text, timeout = 60_000) =>
  page.waitForFunction((s, t) => [...document.querySelectorAll(s)].some((e) => e.textContent.toLowerCase().includes(t.toLowerCase())), { timeout }, selector, text);
const go = (path) => page.goto(origin + path, { waitUntil: "load" });
const press = async (key, ...held) => {
  for (const one of held) await page.keyboard.down(one);
  await page.keyboard.press(key);
  for (const one of held) await page.keyboard.up(one);
};

async function post(text) {
  const box = await page.waitForSelector("#text");
  await box.click();
  await box.type(text);
  if (text.includes("@")) {
    // The list of names comes a moment later; Enter would take from it instead of sending.
    await page.waitForSelector("#completion:not([hidden])");
    await press("Escape");
    await page.waitForSelector("#completion[hidden]");
  }
  await press("Enter");
}

async function doTheMainJob() {
  await page.goto(setupUrl);
  await fill("input[name=display_name]", "Ada Lovelace");
  await fill("input[name=email]", "ada@example.org");
  await fill("input[name=password1]", "analytical engine 1843");
  await click("main form button[type=submit]");
  await see("h1", "workspaces");
  say("signed up");

  await go("/new/");
  await fill("input[name=name]", "Requests");
  await (await page.waitForSelector("input[type=file]")).uploadFile(archive);
  await click("main form button.primary[type=submit]");
  await page.waitForSelector("#composer");
  const base = new URL(page.url()).pathname.match(/^\/w\/\d+/)[0];
  say("made a workspace from an archive");

  await go(`${base}/files/?path=src/requests/api.py`);
  await see(".cm-content", "requests.api");
  await click(".cm-content");
  await press("End", "Control");
  await page.keyboard.type("\n# Edited in Firefox");
  await see("#tabs", "●");
  await press("s", "Control");
  await see("#editor-status", "Saved");
  await page.waitForFunction(() => !document.querySelector("#tabs").textContent.includes("●"));
  await go(`${base}/git/`);
  await see("#changed", "src/requests/api.py");
  say("edited and saved a file");

  await go(`${base}/c/general/`);
  await post("Shall we **tidy** this up?");
  await see("[role=log] strong", "tidy");
  await post("@tidy");
  await see("run-card", "Finished");
  say("talked, called an agent, saw its card finish");

  await click("::-p-text(Review the changes)");
  await page.waitForSelector(".hunk");
  await press("j");
  await press("a");
  await see("button", "Apply accepted (1 of");
  await see(".hunk-verdict", "accepted");
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((b) => b.textContent.includes("Apply accepted") && !b.disabled));
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), click("::-p-text(Apply accepted)")]);
  await page.waitForSelector("#undo-landed");
  await go(`${base}/git/`);
  await see("#log li", "Tidy");
  say("accepted a hunk and landed it");

  await go("/settings/models/");
  await click("main form[action*='embedded/test'] button");
  await page.waitForFunction(() => /answer|SmolLM2/i.test(document.querySelector("main").textContent), { timeout: 60_000 });
  say("tested a model");
}

let failure = null;
try {
  await doTheMainJob();
} catch (error) {
  failure = error;
  console.error(`at ${page.url()}: ${error.stack}`);
  console.error((await page.evaluate(() => document.body.innerText).catch(() => "")).slice(0, 2_000));
}
if (complaints.length) console.error(`the browser complained:\n${complaints.join("\n")}`);
await browser.close();
process.exit(failure || complaints.length ? 1 : 0);
