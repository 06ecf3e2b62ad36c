// The page's half of qlib.drawing.DrawADigit: a sheet, and the answers of the networks. It imports nothing, so that it
// works without a network.

const SIDE = 28; // of the picture that the networks see
const SHEET = 280; // of the sheet on the screen
const INK = 140; // of the sheet as Python gets it
const PEN = 20; // on the screen: two pixels of a digit that fills the sheet

function make(parent, tag, attributes = {}, text = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Grey values (0 is paper) as black of that opacity, in a canvas of its own.
function picture(grey, side) {
  const canvas = make(document.createElement("div"), "canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(side, side);
  grey.forEach((value, i) => (pixels.data[4 * i + 3] = value));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function bytes(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function card(parent, name) {
  const box = make(parent, "section", { class: "qlib-draw-network", "aria-label": name });
  make(box, "div", { class: "qlib-draw-name" }, name);
  const digit = make(box, "div", { class: "qlib-draw-digit" });
  const says = make(box, "div", { class: "qlib-draw-says" });
  const differs = make(box, "div", { class: "qlib-draw-differs" });
  const chart = make(box, "div", { class: "qlib-draw-chart", role: "img" });
  const bars = [...Array(10).keys()].map((i) => {
    const column = make(chart, "div", { class: "qlib-draw-column" });
    const bar = make(make(column, "div", { class: "qlib-draw-room" }), "div", { class: "qlib-draw-bar" });
    make(column, "span", {}, `${i}`);
    return { column, bar };
  });
  const error = make(box, "div", { class: "qlib-draw-error", role: "alert" });
  return (network) => {
    write(digit, network.digit === null ? "–" : `${network.digit}`);
    write(says, network.error ? "failed" : network.sure);
    write(differs, network.differs);
    box.classList.toggle("qlib-draw-other", network.differs !== "");
    bars.forEach(({ column, bar }, i) => {
      bar.style.height = `${100 * (network.probabilities[i] ?? 0)}%`;
      column.classList.toggle("qlib-draw-best", i === network.digit);
    });
    const shares = network.probabilities.map((p, i) => `${i}: ${Math.round(100 * p)} %`);
    chart.setAttribute("aria-label", `Probabilities. ${shares.join(", ") || "None"}`);
    write(error, network.error);
  };
}

function render({ model, el }) {
  const root = make(el, "div", { class: "qlib-draw" });
  const left = make(root, "div", { class: "qlib-draw-left" });
  const right = make(root, "div", { class: "qlib-draw-right" });
  make(left, "div", {}, "Draw a digit:");
  const sheet = make(left, "canvas", { width: SHEET, height: SHEET, class: "qlib-draw-sheet", role: "img" });
  const buttons = make(left, "div", { class: "qlib-draw-buttons" });
  const view = make(right, "div", { class: "qlib-draw-view" });
  const seen = make(view, "canvas", { width: SIDE, height: SIDE, class: "qlib-draw-seen", role: "img" });
  const caption = make(view, "div", {}, "What the networks see: ");
  const what = make(caption, "b");
  const cards = make(right, "div", { class: "qlib-draw-cards" });
  const waiting = make(root, "div", { class: "qlib-draw-line", role: "status" });
  const spoken = make(root, "div", { class: "qlib-draw-spoken", role: "status", "aria-live": "polite" });
  const labels = model.get("labels");
  const otherwise = labels.length ? ", or choose a test image below" : "";
  sheet.setAttribute("aria-label", `Sheet: draw a digit with mouse, finger or pen${otherwise}`);

  const pen = sheet.getContext("2d");
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", imageSmoothingEnabled: false });
  const copy = make(document.createElement("div"), "canvas", { width: INK, height: INK });
  const small = copy.getContext("2d", { willReadFrequently: true });
  let example = model.get("example");
  let place = null; // of the pen while it draws
  let unsent = false;
  let timer = null;

  const outstanding = () => model.get("reply").sent < model.get("sent");

  function clear(next = -1) {
    pen.clearRect(0, 0, SHEET, SHEET);
    example = next;
  }

  function put(grey, side) {
    pen.drawImage(picture(grey, side), 0, 0, SHEET, SHEET);
  }

  function putExample(next) {
    clear(next);
    put(bytes(model.get("images")).slice(next * SIDE * SIDE, (next + 1) * SIDE * SIDE), SIDE);
  }

  function ink() {
    small.clearRect(0, 0, INK, INK);
    small.drawImage(sheet, 0, 0, INK, INK);
    return small.getImageData(0, 0, INK, INK).data.filter((_, i) => i % 4 === 3);
  }

  // The sheet as it is now, or, while an answer is outstanding, as it will be when that has come.
  function send() {
    unsent = outstanding();
    if (unsent) return;
    const sent = Math.max(Date.now(), model.get("sent") + 1);
    model.set({ ink: new DataView(example < 0 ? ink().buffer : new ArrayBuffer(0)), example, sent });
    model.save_changes();
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (outstanding()) write(waiting, "Waiting for the kernel. If it was restarted, run this cell again.");
    }, 2000);
  }

  function line(event) {
    const box = sheet.getBoundingClientRect();
    const scale = SHEET / box.width;
    for (const one of event.getCoalescedEvents?.() ?? []) stroke(one);
    stroke(event);
    send();

    function stroke({ clientX, clientY }) {
      const next = [(clientX - box.left) * scale, (clientY - box.top) * scale];
      pen.beginPath();
      pen.moveTo(...(place ?? [next[0] - 0.01, next[1]])); // a line without length would not be drawn
      pen.lineTo(...next);
      pen.stroke();
      place = next;
    }
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    sheet.setPointerCapture(event.pointerId);
    if (example >= 0) clear(); // a drawing begins on a fresh sheet
    line(event);
  });
  sheet.addEventListener("pointermove", (event) => place && event.isPrimary && line(event));
  sheet.addEventListener("lostpointercapture", (event) => {
    if (!event.isPrimary) return;
    place = null; // the pen is up
    send();
  });

  make(buttons, "button", { type: "button" }, "Clear").addEventListener("click", () => {
    clear();
    send();
  });
  const digits = [...new Set(labels)].sort();
  if (digits.length) make(buttons, "span", {}, "Test image:");
  for (const digit of digits) {
    const name = { type: "button", "aria-label": `Show the next test image of a ${digit}` };
    make(buttons, "button", name, `${digit}`).addEventListener("click", () => {
      const later = labels.findIndex((label, i) => label === digit && i > example);
      putExample(later < 0 ? labels.indexOf(digit) : later);
      send();
    });
  }

  const updates = model.get("reply").networks.map(({ name }) => card(cards, name));

  function show() {
    const reply = model.get("reply");
    const context = seen.getContext("2d");
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(picture(bytes(reply.seen), SIDE), 0, 0);
    seen.setAttribute("aria-label", `What the networks see: ${reply.what}, 28 by 28 pixels`);
    write(what, reply.what);
    updates.forEach((update, i) => update(reply.networks[i]));
    if (outstanding()) return;
    clearTimeout(timer);
    write(waiting, "");
    if (unsent) send();
    else if (!place) write(spoken, reply.text); // a line under way is not read aloud at each step
  }

  if (example >= 0) putExample(example);
  else put(bytes(model.get("ink")), INK); // drawn before the page was opened anew
  show();
  model.on("change:reply", show);
  return () => {
    clearTimeout(timer);
    model.off("change:reply", show);
  };
}

export default { render };
