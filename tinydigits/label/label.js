// The page for labelling: shows a picture, sends the decision about it, and shows the next.

const TINY = 200; // pixels: smaller pictures are enlarged without smoothing

let state = { next: [], recent: [] }; // what the server told last
let shown = null; // the picture that is asked about
let isBusy = true; // while a decision is under way or a picture is loading, keys do nothing
let isOver = false;

const digits = Array.from({ length: 10 }, (_, digit) => addDigit(digit));

function element(id) {
  return document.getElementById(id);
}

function addDigit(digit) {
  const button = element("digits").appendChild(document.createElement("button"));
  button.type = "button";
  button.textContent = digit;
  button.setAttribute("aria-keyshortcuts", digit);
  onPress(button, () => decide(digit));
  return button;
}

/** Do something when a button is pressed; after a mouse, keys belong to the page again. */
function onPress(button, act) {
  button.addEventListener("click", (event) => {
    if (event.detail > 0) button.blur();
    act();
  });
}

/** Send a decision about the shown picture: 0 to 9, "none", or null to take one back. */
function decide(label, picture = shown) {
  if (picture) send("decide", { key: picture.key, label, was: picture.label });
}

function confirmAnswer() {
  if (shown && shown.digit !== null) decide(shown.digit);
}

function postpone() {
  if (shown?.label === null) send("postpone", { key: shown.key });
  else if (shown) show(state.next[0]);
}

function undo() {
  if (state.recent.length) decide(null, state.recent[0]);
}

function finish() {
  send("finish", {});
}

/** Ask the server, and show what it answers; a decision of another tab comes first. */
async function send(path, asked) {
  if (isBusy) return;
  setBusy(true);
  try {
    const body = path === "state" ? undefined : JSON.stringify(asked);
    const answer = await fetch(path, { method: body ? "POST" : "GET", body });
    if (answer.ok || answer.status === 409) {
      state = await answer.json();
      isOver = path === "finish";
      warn(answer.ok ? "" : "This picture was decided in another tab.");
      await show(state.next[0]);
    } else warn(await answer.text());
  } catch {
    warn("The command has ended. Every decision was saved: to go on, run it again.");
  }
  setBusy(false);
}

function warn(text) {
  element("alert").textContent = text;
  element("alert").hidden = !text;
}

function setBusy(busy) {
  isBusy = busy;
  document.body.setAttribute("aria-busy", busy);
}

/** Show a picture, or without one that all are decided. */
async function show(picture) {
  shown = isOver ? null : picture ?? null;
  showCourse();
  showRecent();
  element("asking").hidden = !shown;
  element("done").hidden = Boolean(shown);
  if (shown) await showPicture(shown);
  else showEnd();
}

function showCourse() {
  const { total, left } = state;
  element("count").textContent = `${left} of ${total} left`;
  element("course").max = total || 1;
  element("course").value = total - left;
  element("undo").disabled = !state.recent.length;
  element("finish").hidden = isOver;
}

async function showPicture(picture) {
  const answer = picture.digit ?? "–";
  const isDecided = picture.label !== null;
  const said = picture.digit === null ? reason(picture) : `${percent(picture.probability)} sure`;
  element("file").textContent = picture.file;
  element("answer").textContent = answer;
  element("verdict").textContent = isDecided ? `${said}. You chose ${named(picture.label)}.` : said;
  document.body.classList.toggle("none", picture.digit === null);
  element("net").hidden = !picture.seen;
  if (picture.seen) element("seen").src = picture.seen;
  digits.forEach((button, digit) => {
    button.classList.toggle("best", digit === picture.digit);
    button.setAttribute("aria-pressed", digit === picture.label);
  });
  element("confirm").disabled = picture.digit === null;
  element("later").firstChild.textContent = isDecided ? "Leave it " : "Later ";
  await load(element("picture"), picture);
  const spoken = picture.digit === null ? said : `The net reads ${answer}, ${said}`;
  element("status").textContent = `${picture.file}. ${spoken}. ${element("count").textContent}.`;
  if (state.next[1]) new Image().src = address(state.next[1]); // the next one is then there at once
}

async function load(image, picture) {
  image.src = address(picture);
  image.alt = `Picture ${picture.file}`;
  await image.decode().catch(() => {}); // its name and the answer are shown in any case
  image.classList.toggle("tiny", Math.max(image.naturalWidth, image.naturalHeight) < TINY);
}

function showEnd() {
  const { total, left, labelled, none } = state;
  const decided = `${labelled} labelled, ${none} without a digit`;
  const counts = left ? `${decided}, ${left} left.` : `${decided}.`;
  const title = left ? "Finished:" : `All ${total} pictures are decided:`;
  element("ending").textContent = `${title} ${counts}${isOver ? " You can close this page." : ""}`;
  element("keys").hidden = isOver;
  element("again").hidden = !left;
  element("use").hidden = !labelled;
  element("status").textContent = element("ending").textContent;
  element("done").focus();
}

/** Show the last decisions as buttons, which ask about them again. */
function showRecent() {
  const rows = state.recent.map((picture) => {
    const row = document.createElement("li");
    const button = row.appendChild(document.createElement("button"));
    const image = button.appendChild(document.createElement("img"));
    button.type = "button";
    image.src = picture.seen ?? address(picture); // so small, only the digit alone can be seen
    image.alt = picture.file;
    button.append(picture.label === "none" ? "✕" : picture.label);
    button.setAttribute("aria-label", `${picture.file}: ${named(picture.label)}. Change`);
    button.title = picture.file;
    onPress(button, () => reopen(picture));
    return row;
  });
  element("recent").replaceChildren(...rows);
  element("past").hidden = isOver || !rows.length;
}

async function reopen(picture) {
  if (isBusy) return;
  setBusy(true);
  warn("");
  await show(picture);
  setBusy(false);
}

function named(label) {
  return label === "none" ? "no digit" : label;
}

function reason(picture) {
  return `${picture.reason[0].toUpperCase()}${picture.reason.slice(1)}`;
}

function address(picture) {
  return `pictures/${picture.key}`;
}

function percent(share) {
  return share > 0.9995 ? ">\u00a099.9\u00a0%" : `${(100 * share).toFixed(1)}\u00a0%`;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  const actions = {
    enter: confirmAnswer,
    x: () => decide("none"),
    s: postpone,
    escape: () => shown?.label !== null && postpone(),
    u: undo,
    backspace: undo,
  };
  // On a button, Enter presses that button.
  if (key === "enter" && event.target.closest("button")) return;
  const action = /^\d$/.test(key) ? () => decide(Number(key)) : actions[key];
  if (!action) return;
  event.preventDefault();
  action();
}

onPress(element("confirm"), confirmAnswer);
onPress(element("none"), () => decide("none"));
onPress(element("later"), postpone);
onPress(element("undo"), undo);
onPress(element("finish"), finish);
addEventListener("keydown", pressed);
isBusy = false;
send("state");
