// The chat page. It draws only from text and whitelisted entities, with text nodes: nothing a bot
// or a person writes is ever parsed as markup here. Time on the page is the server's clock.
"use strict";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const userId = Number(query.get("user_id") || 1001);
const chatId = Number(query.get("chat_id") || userId);
const ROWS_MAX = 500; // older rows leave the page
const QUERY_WAIT_MS = 15000; // Telegram stops waiting for a callback answer
const known = new Map(); // message_id -> message
const waiting = new Map(); // query_id -> button
const early = new Map(); // answers that came before the tap's own reply
let clock = { at: performance.now(), now: Date.now(), speed: 1 };
let lastSeq = 0;
let stuck = true; // the newest message is in view, so it stays in view
let commands = [], pins = [], unread = 0, replyTo = null, chosen = -1, actionTimer = 0, draftTimer = 0;

function node(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function chevron() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  for (const [k, v] of Object.entries({ d: "M6 9l6 6 6-6", fill: "none", stroke: "currentColor", "stroke-width": "2.4" })) path.setAttribute(k, v);
  svg.append(path);
  return svg;
}

// --- time ---------------------------------------------------------------------------------------
const nowMs = () => clock.now + (performance.now() - clock.at) * clock.speed;

function setClock(event) {
  if (typeof event.now_ms === "number") clock = { at: performance.now(), now: event.now_ms, speed: event.speed || 1 };
}

const shortTime = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
const dayOf = (ms) => new Date(ms).toLocaleDateString("en", { month: "long", day: "numeric", year: "numeric" });

function relative(unix) {
  const left = Math.round(unix - nowMs() / 1000);
  const size = Math.abs(left);
  if (size < 1) return "now";
  const parts = size < 60 ? [size, "second"] : size < 3600 ? [Math.floor(size / 60), "minute"]
    : size < 86400 ? [Math.floor(size / 3600), "hour"] : [Math.floor(size / 86400), "day"];
  let words = `${parts[0]} ${parts[1]}${parts[0] === 1 ? "" : "s"}`;
  if (size >= 60 && size < 600) words = `${Math.floor(size / 60)}:${String(size % 60).padStart(2, "0")} min`;
  return left > 0 ? `in ${words}` : `${words} ago`;
}

function moment(unix, format, fallback) {
  if (!format) return fallback;
  if (format === "r") return relative(unix);
  const options = {};
  if (format.includes("w")) options.weekday = "short";
  if (format.includes("d")) Object.assign(options, { day: "2-digit", month: "2-digit", year: "2-digit" });
  if (format.includes("D")) Object.assign(options, { day: "numeric", month: "long", year: "numeric" });
  if (/[tT]/.test(format)) Object.assign(options, { hour: "2-digit", minute: "2-digit", hour12: false });
  if (format.includes("T")) options.second = "2-digit";
  return new Date(unix * 1000).toLocaleString([], options);
}

function refreshTimes() {
  for (const shown of document.querySelectorAll("time.tg")) {
    const words = moment(Number(shown.dataset.unix), shown.dataset.format, shown.dataset.fallback);
    if (shown.textContent !== words) shown.textContent = words;
  }
}

// --- formatted text -----------------------------------------------------------------------------
const BLOCKS = new Set(["pre", "blockquote", "expandable_blockquote"]);
const SIMPLE = { bold: "strong", italic: "em", underline: "u", strikethrough: "s", custom_emoji: "span" };

function rich(text, entities) {
  const order = [...entities];
  return richPart(text, 0, text.length, order);
}

function richPart(text, begin, end, entities) {
  const out = document.createDocumentFragment();
  let at = begin;
  while (entities.length) {
    const outer = entities.shift();
    const start = Math.max(outer.offset, at);
    const stop = Math.min(outer.offset + outer.length, end);
    if (stop <= start) continue;
    const inner = [];
    while (entities.length && entities[0].offset < stop) inner.push(entities.shift());
    out.append(text.slice(at, start));
    out.append(styled(outer, text.slice(start, stop), richPart(text, start, stop, inner)));
    at = stop;
    if (BLOCKS.has(outer.type) && text[at] === "\n") at += 1; // the block breaks the line already
  }
  if (at < end) out.append(text.slice(at, end));
  return out;
}

function link(url, children) {
  let safe = null;
  try { safe = new URL(url.includes("://") ? url : `http://${url}`); } catch { return node("span", {}, children); }
  if (!["http:", "https:"].includes(safe.protocol)) return node("span", {}, children);
  return node("a", { href: safe.href, target: "_blank", rel: "noopener noreferrer nofollow", title: safe.href }, children);
}

function styled(entity, plain, children) {
  switch (entity.type) {
    case "pre": return node("pre", { "data-language": entity.language || null, tabindex: "0" }, children);
    case "code": return node("code", {}, children);
    case "blockquote": return node("blockquote", {}, children);
    case "expandable_blockquote": return foldable(children);
    case "spoiler": return spoiler(children);
    case "text_link": return link(entity.url, children);
    case "url": return link(plain, children);
    case "bot_command":
      return node("button", { type: "button", class: "command", onclick: () => say(plain) }, children);
    case "date_time":
      return node("time", {
        class: "tg", "data-unix": entity.unix_time, "data-format": entity.date_time_format || "", "data-fallback": plain,
        title: new Date(entity.unix_time * 1000).toLocaleString(),
      }, moment(entity.unix_time, entity.date_time_format, plain));
    default: return node(SIMPLE[entity.type] || "span", {}, children);
  }
}

function foldable(children) {
  const quoted = node("div", { class: "quoted" }, children);
  const fold = node("button", { type: "button", class: "fold", "aria-label": "Show the whole quote", "aria-expanded": "false" }, chevron());
  const quote = node("blockquote", { class: "folding" }, quoted, fold);
  const toggle = () => fold.setAttribute("aria-expanded", String(quote.classList.toggle("open")));
  fold.addEventListener("click", (event) => { event.stopPropagation(); toggle(); });
  quote.addEventListener("click", () => { if (!quote.classList.contains("open")) toggle(); });
  requestAnimationFrame(() => { fold.hidden = quoted.scrollHeight <= quoted.clientHeight + 2; });
  return quote;
}

function spoiler(children) {
  const hidden = node("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Hidden text, press to show" }, children);
  const open = (event) => {
    if (hidden.classList.contains("open") || (event.key && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    hidden.classList.add("open");
    hidden.removeAttribute("aria-label");
  };
  hidden.addEventListener("click", open);
  hidden.addEventListener("keydown", open);
  return hidden;
}

// --- one message --------------------------------------------------------------------------------
function photo(message) {
  const { url, width, height, name } = message.file;
  const hidden = message.has_media_spoiler;
  const shown = node("button", { type: "button", class: hidden ? "photo hidden-media" : "photo", "aria-label": "Open the picture" },
    node("img", { src: url, width, height, alt: message.text || name || "picture", loading: "lazy" }));
  shown.addEventListener("click", () => {
    if (shown.classList.contains("hidden-media")) { shown.classList.remove("hidden-media"); return; }
    $("viewer").firstElementChild.src = url;
    $("viewer").showModal();
  });
  return shown;
}

function file(message) {
  const size = message.file.size_bytes;
  const words = size < 1024 ? `${size} B` : size < 1048576 ? `${(size / 1024).toFixed(1)} KB` : `${(size / 1048576).toFixed(1)} MB`;
  return node("div", { class: "file" }, node("span", { class: "disc", "aria-hidden": "true" }, "↓"),
    node("span", {}, node("a", { href: message.file.url, download: message.file.name }, message.file.name), node("small", {}, words)));
}

function bubble(message) {
  const above = message.show_caption_above_media;
  const bare = message.kind === "photo" && !message.text;
  const box = node("div", { class: `bubble${bare ? " bare" : ""}${above ? " below" : ""}` });
  if (message.reply_to) {
    box.append(node("button", { type: "button", class: "reply", onclick: () => goTo(message.reply_to.message_id) },
      node("b", {}, message.reply_to.name), node("span", {}, message.reply_to.text)));
  }
  const media = message.kind === "photo" ? photo(message) : message.kind === "document" ? file(message) : null;
  if (media && !above) box.append(media);
  const meta = node("span", { class: "meta" }, `${message.edits ? "edited " : ""}${shortTime(message.date_ms)}${message.from === "person" ? " ✓✓" : ""}`);
  box.append(node("div", { class: "body" }, rich(message.text, message.entities), meta));
  if (media && above) box.append(media);
  if (message.reaction) box.append(node("span", { class: "reaction" }, message.reaction));
  return box;
}

function buttons(message) {
  const rows = message.reply_markup && message.reply_markup.inline_keyboard;
  if (!rows) return [];
  return [node("div", { class: "buttons" }, ...rows.map((row) => node("div", {}, ...row.map((one) => button(message, one)))))];
}

function button(message, one) {
  const style = ["success", "danger", "primary"].includes(one.style) ? one.style : null;
  const url = one.url || (one.web_app && one.web_app.url);
  if (url) {
    const made = link(url, one.text);
    if (style) made.classList.add(style);
    made.append(node("span", { class: "mark", "aria-hidden": "true" }, "↗"));
    return made;
  }
  const made = node("button", { type: "button", class: style }, one.text);
  if (one.copy_text) {
    made.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(one.copy_text.text); toast("Copied to the clipboard"); } catch { toast(one.copy_text.text); }
    });
  } else if (one.callback_data) made.addEventListener("click", () => tap(message, one, made));
  return made;
}

function row(message) {
  const keys = buttons(message);
  return node("li", { class: `row ${message.from}${keys.length ? " keys" : ""}`, id: `m${message.message_id}` },
    node("div", { class: "stack" }, bubble(message), ...keys));
}

// --- the log ------------------------------------------------------------------------------------
const atBottom = () => $("scroller").scrollHeight - $("scroller").scrollTop - $("scroller").clientHeight < 90;

function toBottom() {
  $("scroller").scrollTop = $("scroller").scrollHeight;
  unread = 0;
  $("unread").textContent = "";
  $("down").hidden = true;
}

function show(message, fresh) {
  if (message.chat_id !== chatId) return;
  const before = known.get(message.message_id);
  if (before && (before.edits > message.edits || (before.edits === message.edits && before.reaction === message.reaction))) return;
  const stay = atBottom() || message.from === "person";
  known.set(message.message_id, message);
  const made = row(message);
  const old = $(`m${message.message_id}`);
  if (old) {
    if (old.classList.contains("turn")) made.classList.add("turn");
    const opened = [...old.querySelectorAll(".folding")].map((quote) => quote.classList.contains("open"));
    const held = old.contains(document.activeElement);
    old.replaceWith(made);
    [...made.querySelectorAll(".folding")].forEach((quote, i) => { if (opened[i]) quote.classList.add("open"); });
    if (held) made.querySelector("button, a")?.focus({ preventScroll: true });
  } else append(message, made, fresh);
  if (fresh && message.from === "bot" && !old) { clearAction(); clearDraft(); keyboardOf(message); }
  if (stay) toBottom();
  else if (!old && fresh) { unread += 1; $("unread").textContent = unread; $("down").hidden = false; }
  drawEmpty();
  drawPinned();
}

function append(message, made, fresh) {
  const log = $("log");
  const last = [...known.values()].filter((m) => m.message_id < message.message_id && $(`m${m.message_id}`)).pop();
  if (!last || dayOf(last.date_ms) !== dayOf(message.date_ms)) {
    log.append(node("li", { class: "day" }, node("span", {}, dayOf(message.date_ms))));
  }
  if (last && last.from !== message.from) made.classList.add("turn");
  if (fresh) made.classList.add("new");
  log.append(made);
  while (log.children.length > ROWS_MAX) {
    known.delete(Number(log.firstElementChild.id.slice(1)));
    log.firstElementChild.remove();
  }
}

function goTo(id) {
  const found = $(`m${id}`);
  if (!found) return;
  found.scrollIntoView({ block: "center", behavior: "smooth" });
  found.classList.remove("flash");
  requestAnimationFrame(() => found.classList.add("flash"));
}

function drawEmpty() {
  const empty = known.size === 0;
  $("empty").hidden = !empty || !$("description").textContent;
  document.body.classList.toggle("fresh", empty);
  $("start").hidden = !empty;
}

function drawPinned() {
  const newest = [...pins].reverse().find((id) => known.has(id));
  $("pinned").hidden = newest === undefined;
  if (newest === undefined) return;
  $("pinned-text").textContent = (known.get(newest).text || known.get(newest).kind).split("\n", 1)[0];
  $("pinned").onclick = () => goTo(newest);
}

// --- what the bot does beside messages ----------------------------------------------------------
const ACTIONS = { typing: "typing", upload_photo: "sending a picture", upload_document: "sending a file" };

function action(name) {
  $("status").textContent = `${ACTIONS[name] || "working"}…`;
  $("status").classList.add("busy");
  clearTimeout(actionTimer);
  actionTimer = setTimeout(clearAction, 5000);
}

function clearAction() {
  clearTimeout(actionTimer);
  $("status").textContent = "bot";
  $("status").classList.remove("busy");
}

function draft(event) {
  const stay = atBottom();
  $("draft").querySelector(".body").replaceChildren(rich(event.text, event.entities));
  $("draft").hidden = false;
  clearTimeout(draftTimer);
  draftTimer = setTimeout(clearDraft, 30000);
  if (stay) toBottom();
}

function clearDraft() {
  clearTimeout(draftTimer);
  $("draft").hidden = true;
}

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("shown"), 3500);
}

function alertBox(text) {
  $("alert-text").textContent = text;
  if (!$("alert").open) $("alert").showModal();
}

function answered(event) {
  if (event.user_id !== userId) return;
  const { callback_query_id: id, text, show_alert: loud } = event.answer;
  if (waiting.has(id)) { waiting.get(id).classList.remove("waiting"); waiting.delete(id); } else early.set(id, true);
  if (early.size > 50) early.delete(early.keys().next().value);
  if (text && loud) alertBox(text);
  else if (text) toast(text);
}

function info(pieces) {
  const entries = Object.entries(pieces || {});
  $("info").hidden = entries.length === 0;
  $("info").replaceChildren(...entries.map(([name, value]) => node("div", {}, node("dt", {}, name), node("dd", {}, value))));
}

function keyboardOf(message) {
  const markup = message.reply_markup || {};
  if (markup.force_reply) startReply(message);
  if (markup.remove_keyboard) { $("keyboard").hidden = true; $("keyboard").replaceChildren(); }
  if (!markup.keyboard) return;
  $("keyboard").replaceChildren(...markup.keyboard.map((keys) => node("div", {}, ...keys.map((key) =>
    node("button", { type: "button", onclick: () => { say(key.text); if (markup.one_time_keyboard) $("keyboard").hidden = true; } }, key.text)))));
  $("keyboard").hidden = false;
  if (markup.input_field_placeholder) $("text").placeholder = markup.input_field_placeholder;
}

function startReply(message) {
  replyTo = message.message_id;
  $("replying").firstElementChild.textContent = `Reply: ${message.text.split("\n", 1)[0]}`;
  $("replying").hidden = false;
  $("text").focus();
}

function endReply() { replyTo = null; $("replying").hidden = true; }

// --- the person ---------------------------------------------------------------------------------
async function post(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.description || answer.status);
    return found;
  } catch (error) {
    toast(`Not sent: ${error.message}`);
    return null;
  }
}

async function say(text) {
  closeCommands();
  const body = { text, user_id: userId, chat_id: chatId };
  if (replyTo !== null) body.reply_to = replyTo;
  endReply();
  return post("/sandbox/message", body);
}

async function tap(message, one, made) {
  if (made.classList.contains("waiting")) return;
  made.classList.add("waiting");
  const found = await post("/sandbox/tap", { message_id: message.message_id, callback_data: one.callback_data, user_id: userId });
  if (!found || early.delete(found.callback_query_id)) { made.classList.remove("waiting"); return; }
  waiting.set(found.callback_query_id, made);
  setTimeout(() => { waiting.delete(found.callback_query_id); made.classList.remove("waiting"); }, QUERY_WAIT_MS);
}

// --- the command list ---------------------------------------------------------------------------
function listed() {
  const typed = $("text").value;
  if (!typed.startsWith("/") || /\s/.test(typed)) return commands;
  return commands.filter((one) => `/${one.command}`.startsWith(typed.toLowerCase()));
}

function openCommands() {
  const list = listed();
  chosen = Math.min(chosen, list.length - 1);
  $("commands").replaceChildren(...list.map((one, i) => node("li", {
    role: "option", id: `c${i}`, "aria-selected": String(i === chosen), onclick: () => { $("text").value = ""; say(`/${one.command}`); },
  }, node("b", {}, `/${one.command}`), node("span", {}, one.description))));
  $("commands").hidden = list.length === 0;
  $("menu").setAttribute("aria-expanded", String(list.length > 0));
  const current = $(`c${chosen}`);
  if (current) { current.scrollIntoView({ block: "nearest" }); $("text").setAttribute("aria-activedescendant", current.id); }
}

function closeCommands() {
  chosen = -1;
  $("commands").hidden = true;
  $("menu").setAttribute("aria-expanded", "false");
  $("text").removeAttribute("aria-activedescendant");
}

function grow() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight}px`;
}

function keys(event) {
  const open = !$("commands").hidden;
  if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const count = $("commands").children.length;
    chosen = (chosen + (event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1) + count) % count;
    openCommands();
  } else if (event.key === "Escape") closeCommands();
  else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (open && chosen >= 0) $("commands").children[chosen].click();
    else $("composer").requestSubmit();
    grow();
  }
}

function wire() {
  $("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text) return;
    $("text").value = "";
    grow();
    if (!await say(text)) $("text").value = text;
  });
  $("text").addEventListener("input", () => { grow(); if ($("text").value.startsWith("/")) openCommands(); else closeCommands(); });
  $("text").addEventListener("keydown", keys);
  $("menu").addEventListener("click", () => { if ($("commands").hidden) { openCommands(); $("text").focus(); } else closeCommands(); });
  $("start").addEventListener("click", () => say("/start"));
  $("replying").lastElementChild.addEventListener("click", endReply);
  $("down").addEventListener("click", toBottom);
  new ResizeObserver(() => { if (stuck) toBottom(); }).observe($("scroller"));
  $("scroller").addEventListener("scroll", () => { stuck = atBottom(); if (stuck) { unread = 0; $("unread").textContent = ""; $("down").hidden = true; } else $("down").hidden = false; });
  $("viewer").addEventListener("click", () => $("viewer").close());
  $("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeCommands(); });
  setInterval(refreshTimes, 500);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try { localStorage.setItem("theme", name); } catch { /* a private window */ }
}

function firstTheme() {
  let saved = query.get("theme");
  try { saved = saved || localStorage.getItem("theme"); } catch { /* a private window */ }
  setTheme(saved || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
}

// --- the server ---------------------------------------------------------------------------------
async function load() {
  const page = await (await fetch(`/sandbox/page?user_id=${userId}&chat_id=${chatId}`)).json();
  setClock(page);
  $("bot-name").textContent = page.bot.name;
  document.title = page.bot.name;
  $("avatar").textContent = page.bot.name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("").toUpperCase();
  $("description").textContent = page.description;
  commands = page.commands;
  $("menu").hidden = commands.length === 0;
  pins = page.pinned;
  info(page.info);
  const alive = new Set(page.messages.map((message) => message.message_id));
  for (const id of known.keys()) if (id > (page.messages[0]?.message_id || 0) && !alive.has(id)) forget(id);
  for (const message of page.messages) show(message, false);
  clearAction();
  drawEmpty();
  drawPinned();
}

function forget(id) {
  known.delete(id);
  $(`m${id}`)?.remove();
  drawEmpty();
  drawPinned();
}

function receive(event) {
  setClock(event);
  if (event.event === "hello" && event.seq < lastSeq) { location.reload(); return; } // another sandbox took its place
  lastSeq = event.seq || lastSeq;
  if (event.chat_id !== null && event.chat_id !== undefined && event.chat_id !== chatId) return;
  switch (event.event) {
    case "hello": case "reload": case "profile": load(); break;
    case "message": case "edit": show(event.message, true); break;
    case "delete": forget(event.message_id); break;
    case "answer": answered(event); break;
    case "action": action(event.action); break;
    case "draft": draft(event); break;
    case "pin": pins = event.pinned; drawPinned(); break;
    case "info": info(event.info); break;
  }
}

function listen() {
  const source = new EventSource("/sandbox/events");
  source.onmessage = (message) => receive(JSON.parse(message.data));
  source.onerror = () => { $("status").textContent = "waiting for the sandbox…"; };
}

firstTheme();
wire();
listen();
