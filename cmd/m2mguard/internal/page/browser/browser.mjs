// Drives the page with Chromium, as the tests say over standard input, and writes a line of
// JSON for each thing that it tried: its name, and what was wrong with it, if anything.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const job = JSON.parse(await text(process.stdin));
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const origin = new URL(job.address).origin;
const stranger = new URL(job.stranger).origin;

const browser = await chromium.launch({
  executablePath: job.chromium,
  // Every name but the loopback address's leads here, as that of a site that rebinds.
  args: ["--host-resolver-rules=MAP * 127.0.0.1", "--disable-background-networking", "--disable-component-update"],
});

// visit opens the page in a profile of its own, sees all that is asked and said, and
// lets nothing through to anywhere but the page's own origin.
async function visit(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, colorScheme: "light", ...options });
  const seen = { asked: [], said: [] };
  await context.route("**/*", (route) => (new URL(route.request().url()).origin === origin ? route.continue() : route.abort()));
  context.on("request", (request) => seen.asked.push(request));
  const page = await context.newPage();
  page.on("console", (message) => seen.said.push(message.text()));
  page.on("pageerror", (error) => seen.said.push(String(error)));
  page.setDefaultTimeout(20_000);
  await page.goto(job.address);
  return { page, context, seen };
}

const token = (page) => page.getByLabel("Access token");
const verdict = (page) => page.locator("#verdict");
const focused = (page) => page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim());

async function explain(page, what) {
  await token(page).focus();
  await page.keyboard.insertText(what); // as a paste does
  await page.getByRole("button", { name: "Explain" }).click();
}

// refused has the page explain a token that has expired.
async function refused(options) {
  const opened = await visit(options);
  await explain(opened.page, job.tokens.expired);
  await verdict(opened.page).waitFor();
  return opened;
}

// unnamed walks the accessibility tree, for what can be used and has no name.
async function unnamed(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  const used = nodes.filter((node) => !node.ignored && node.role?.value !== "RootWebArea"
    && node.properties?.some(({ name, value }) => name === "focusable" && value.value));
  const names = used.map((node) => node.name?.value.trim() ?? "");
  assert.equal(new Set(names).size, names.length, `two are called alike: ${names}`);
  return { count: used.length, unnamed: used.filter((node) => !node.name?.value.trim()).map((node) => node.role.value) };
}

async function violations(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 10, "axe looked at nothing");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

// picture takes one of the page down to the row behind the last that failed.
async function picture(page, path) {
  await page.evaluate(() => { scrollTo(0, 0); document.getElementById("token").scrollTop = 0; });
  const last = await page.locator("tr.failed + tr").last().boundingBox();
  await page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width: 1100, height: Math.round(last.y + last.height) } });
}

const tries = {
  "an accepted token": async () => {
    const { page, seen } = await visit();
    await explain(page, `Authorization: Bearer ${job.tokens.good}\n`);
    await verdict(page).waitFor();
    assert.equal(await verdict(page).textContent(), "✓Accepted");
    assert.equal(await page.locator("#held").textContent(), `Held against ${job.issuer}. The issuer vouches for what the token says.`);
    assert.match(await page.locator("#count").textContent(), /^\d+ passed$/);
    assert.ok(await page.locator("tr.passed").count() > 15);
    assert.deepEqual(seen.said, []);
  },

  "a refused token": async () => {
    const { page } = await refused();
    assert.equal(await verdict(page).textContent(), "✗Refused at exp");
    assert.equal(await focused(page), "verdict", "the focus goes to the result");
    assert.match(await page.locator("#first").innerText(), /^Found\s+expired .+\s+To mend\s+.*Config\.ClockSkew/);
    assert.deepEqual(await page.locator("#first code").allTextContents(), ["Config.ClockSkew", "Config.Now"]);
    const aud = page.getByRole("row", { name: "aud" });
    assert.match(await aud.innerText(), /failed\s+aud\s+Found\s+\["https:\/\/invoices.+\s+Wanted\s+\["https:\/\/api.example.test"\]\s+To mend\s+Issuer.Audience/);
    assert.deepEqual(await page.getByRole("columnheader").allTextContents(), ["Outcome", "Check", "What was found"]);
    assert.match(await page.locator("#count").textContent(), /^\d+ passed, 2 failed$/);
  },

  "what the route needs": async () => {
    const { page } = await visit();
    await page.getByText("What the route needs").click();
    await page.getByLabel("Scopes of the route").fill("orders:write");
    await page.getByLabel("Ask nobody").check();
    await explain(page, job.tokens.good);
    await verdict(page).waitFor();
    assert.equal(await verdict(page).textContent(), "✗Refused at rule");
    assert.match(await page.getByRole("row", { name: "rule" }).innerText(), /orders:write/);
  },

  "text that is markup": async () => {
    const { page, seen } = await visit();
    await explain(page, job.tokens.markup);
    await verdict(page).waitFor();
    assert.match(await page.locator("#steps").innerText(), /<img src=x onerror=document.title=1>/);
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), "Explain a token · m2mguard");
    assert.deepEqual(seen.said, []);
    const refusal = await page.evaluate(() => { try { document.body.innerHTML = "<b>x</b>"; return ""; } catch (error) { return error.name; } });
    assert.equal(refusal, "TypeError", "no markup is made of text");
  },

  "fields that are wrong": async () => {
    const { page } = await visit();
    await page.getByRole("button", { name: "Explain" }).click();
    const field = token(page);
    await page.locator("#token-fault:not([hidden])").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.equal(await focused(page), "token");
    await page.locator("#at").evaluate((at) => { at.value = "yesterday"; });
    await explain(page, job.tokens.good);
    await page.locator("#at-fault").waitFor();
    assert.equal(await focused(page), "at", "the part that holds the field is open");
    assert.equal(await field.getAttribute("aria-invalid"), null);
    assert.equal(await page.locator("#result").isVisible(), false);
  },

  "a program that does not answer": async () => {
    const { page, context } = await visit();
    await context.route("**/explain", (route) => route.abort());
    await explain(page, job.tokens.good);
    assert.match(await page.getByRole("alert").textContent(), /does not answer/);
    await context.route("**/explain", (route) => route.fulfill({ status: 503, body: "too many\n" }));
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByText("did not look at it: too many.").waitFor();
    assert.equal(await page.getByRole("status").textContent(), "");
  },

  "the keyboard alone": async () => {
    const { page } = await visit();
    const walked = [];
    const press = async (key) => {
      await page.keyboard.press(key);
      const shown = await page.evaluate(() => document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none");
      assert.ok(shown, `the focus is not seen at ${await focused(page)}`);
      walked.push(await focused(page));
    };
    assert.equal(await focused(page), "token", "where the first paste goes");
    await page.keyboard.insertText(job.tokens.expired);
    await press("Tab");
    await press("Tab");
    await page.keyboard.press("Enter"); // opens what more there is
    for (let n = 0; n < 10; n++) await press("Tab");
    assert.deepEqual(walked, ["visible", "What the route needs, and how the request came", "scope", "audience", "at", "scheme", "method", "url", "proof", "certificate", "offline", "Explain"]);
    await page.keyboard.press("Enter");
    await verdict(page).waitFor();
    assert.equal(await focused(page), "verdict");
    for (let n = 0; n < 2; n++) await page.keyboard.press("Shift+Tab");
    assert.equal(await focused(page), "Explain");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space"); // clears
    assert.equal(await token(page).inputValue(), "");
    assert.equal(await page.locator("#result").isVisible(), false);
    assert.equal(await focused(page), "token");
    await page.keyboard.insertText(job.tokens.good);
    await page.keyboard.press("Control+Enter");
    await verdict(page).waitFor();
  },

  "names of all controls": async () => {
    const { page } = await visit();
    await page.getByText("What the route needs").click();
    assert.deepEqual(await unnamed(page), { count: 16, unnamed: [] });
    for (const role of ["banner", "main", "contentinfo", "form"]) assert.equal(await page.getByRole(role).count(), 1, role);
    await explain(page, job.tokens.expired);
    await verdict(page).waitFor();
    assert.deepEqual((await unnamed(page)).unnamed, []);
    assert.equal(await page.getByRole("table", { name: "All checks, in their order" }).count(), 1);
    assert.equal(await page.getByRole("region", { name: "Refused at exp" }).count(), 1);
  },

  "nothing is stored": async () => {
    const { page, context } = await refused();
    assert.deepEqual(await context.storageState({ indexedDB: true }), { cookies: [], origins: [] });
    assert.deepEqual(await page.evaluate(async () => [localStorage.length, sessionStorage.length, (await caches.keys()).length]), [0, 0, 0]);
    for (const place of [page.url(), await page.title()]) assert.ok(!place.includes(job.tokens.expired.slice(0, 20)), place);
    assert.equal(await page.locator("form :is(input, textarea, select):not([autocomplete=off])").count(), 0);
    assert.equal(await page.locator("form :is(textarea, input:not([type=checkbox])):not([spellcheck=false])").count(), 0);
    assert.equal(await token(page).evaluate((field) => getComputedStyle(field).webkitTextSecurity), "disc");
    await page.getByLabel("Show its text").check();
    assert.equal(await token(page).evaluate((field) => getComputedStyle(field).webkitTextSecurity), "none");
    await page.goto("about:blank");
    await page.goBack();
    assert.equal(await token(page).inputValue(), "");
    assert.equal(await page.locator("#result").isVisible(), false);
    await explain(page, job.tokens.good);
    await page.reload();
    assert.equal(await token(page).inputValue(), "");
  },

  "nobody else is asked": async () => {
    const { page, seen } = await refused();
    await page.getByText("What the route needs").click();
    await page.getByRole("button", { name: "Clear" }).click();
    await explain(page, job.tokens.good);
    await verdict(page).waitFor();
    const asked = seen.asked.map((request) => `${request.method()} ${request.url()}`);
    assert.deepEqual(asked, [`GET ${job.address}`, `POST ${job.address}explain`, `POST ${job.address}explain`]);
    // Nor can a script of the page's ask.
    const attempts = await page.evaluate((other) => Promise.all([
      fetch(other).then(() => "fetched", () => "refused"),
      new Promise((end) => { const image = new Image(); image.onload = () => end("loaded"); image.onerror = () => end("refused"); image.src = `${other}/x.png`; }),
    ]), stranger);
    assert.deepEqual(attempts, ["refused", "refused"]);
    await page.evaluate((other) => { const lost = document.createElement("form"); lost.action = other; document.body.append(lost); lost.submit(); }, stranger);
    assert.equal(await page.evaluate(() => location.href), job.address);
    assert.deepEqual(seen.asked.slice(3).filter((request) => request.failure()?.errorText !== "csp"), [], "what the policy refuses is not sent");
  },

  "other sites": async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const rebound = await page.goto(job.address.replace("127.0.0.1", "rebinding.example"));
    assert.equal(rebound.status(), 403, "a name that leads here");
    await page.goto(job.stranger);
    const session = await context.newCDPSession(page);
    const statuses = []; // also of answers that the browser keeps from the other site
    session.on("Network.responseReceivedExtraInfo", ({ statusCode }) => statuses.push(statusCode));
    await session.send("Network.enable");
    const answers = await page.evaluate(async (address) => {
      const post = (type, mode) => fetch(`${address}explain`, { method: "POST", mode, headers: { "Content-Type": type }, body: '{"token":"x"}' }).then((answer) => answer.type, () => "refused");
      return [await post("text/plain", "no-cors"), await post("text/plain", "cors"), await post("application/json", "cors")];
    }, job.address);
    assert.deepEqual(answers, ["refused", "refused", "refused"]);
    assert.deepEqual(statuses, [403, 403, 403], "two POSTs of another site, and a question whether a third may come");
    const [sent] = await Promise.all([
      page.waitForNavigation(),
      page.evaluate((address) => { const lost = document.createElement("form"); lost.method = "post"; lost.action = `${address}explain`; document.body.append(lost); lost.submit(); }, job.address),
    ]);
    assert.equal(sent.status(), 403, "a form of another site");
    await page.goto(job.stranger);
    const [framed] = await Promise.all([
      page.waitForResponse((response) => response.url() === job.address),
      page.evaluate((address) => { const frame = document.createElement("iframe"); frame.src = address; document.body.append(frame); }, job.address),
    ]);
    assert.equal(framed.status(), 403, "a frame of another site");
  },
};

// Both themes, wide and narrow, empty and full.
for (const colorScheme of ["light", "dark"]) {
  tries[`the ${colorScheme} theme`] = async () => {
    const grounds = [];
    for (const width of [1100, 320]) {
      const { page } = await visit({ colorScheme, viewport: { width, height: 900 } });
      await page.getByText("What the route needs").click();
      assert.deepEqual(await violations(page), [], `empty, ${width} px`);
      await page.getByText("What the route needs").click();
      await explain(page, job.tokens.expired);
      await verdict(page).waitFor();
      assert.deepEqual(await violations(page), [], `refused, ${width} px`);
      assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth), `${width} px are not enough`);
      assert.equal(await page.getByRole("table").getByRole("rowheader").first().textContent(), "credentials", "a table, also where it is narrow");
      grounds.push(await page.evaluate(() => Math.max(...getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))));
      if (width > 1000) await picture(page, `${job.pictures}/explain-${colorScheme}.png`);
      else await page.screenshot({ path: `${job.scratch}/narrow-${colorScheme}.png`, fullPage: true });
    }
    for (const ground of grounds) assert.equal(ground > 128, colorScheme === "light", `the ground is ${ground}`);
  };
}

for (const [name, attempt] of Object.entries(tries)) {
  let wrong = "";
  try {
    await attempt();
  } catch (error) {
    wrong = String(error.stack);
  }
  for (const context of browser.contexts()) await context.close();
  console.log(JSON.stringify({ name, wrong }));
}
await browser.close();
