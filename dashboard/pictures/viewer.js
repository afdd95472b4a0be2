// Lays masks over images in the browser, so that moving a slider costs no rerun of the page.
// The arithmetic is that of trainer/data/painting.py and dashboard/pictures/overlays.py; tests/browser
// compares them exactly.

const VIEWS = new WeakMap()
const MODES = [
  ["errors", "Errors"],
  ["prediction", "Prediction"],
  ["target", "Target"],
  ["image", "Image"],
]

async function pixels(address) {
  const bytes = await (await fetch(address)).blob()
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" }
  const bitmap = await createImageBitmap(bytes, options)
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
  const context = canvas.getContext("2d", { willReadFrequently: true })
  context.drawImage(bitmap, 0, 0)
  return context.getImageData(0, 0, bitmap.width, bitmap.height)
}

// A map of class indices: the red channel of a grey image.
async function indices(address) {
  const { data } = await pixels(address)
  const found = new Uint8Array(data.length / 4)
  for (let i = 0; i < found.length; i += 1) found[i] = data[4 * i]
  return found
}

function errorColour(predicted, target, chosen, data) {
  if (target === data.void.label) return null
  const positive = chosen < 0 ? predicted > 0 : predicted === chosen
  const right = chosen < 0 ? predicted === target : target === chosen
  if (positive) return right ? data.colours.tp : data.colours.fp
  const missed = chosen < 0 ? target > 0 : target === chosen
  return missed ? data.colours.fn : null
}

function classColour(label, chosen, data, x, y) {
  if (label === data.void.label && chosen < 0) {
    const { chequers, side } = data.void
    return chequers[(Math.floor(x / side) + Math.floor(y / side)) % 2]
  }
  if (label === 0 || label >= data.classes.length) return null
  return chosen < 0 || label === chosen ? data.classes[label].colour : null
}

function paint(panel, view, data) {
  const { image, target, predicted } = panel
  const out = new ImageData(new Uint8ClampedArray(image.data), image.width, image.height)
  const a = view.opacity
  for (let i = 0; i < image.width * image.height && view.mode !== "image"; i += 1) {
    let colour = null
    if (view.mode === "errors" && target && predicted) {
      colour = errorColour(predicted[i], target[i], view.chosen, data)
    } else {
      const labels = view.mode === "target" ? target : predicted
      const x = i % image.width
      const y = Math.floor(i / image.width)
      colour = labels ? classColour(labels[i], view.chosen, data, x, y) : null
    }
    if (colour === null) continue
    for (let c = 0; c < 3; c += 1) {
      out.data[4 * i + c] = Math.floor((1 - a) * image.data[4 * i + c] + a * colour[c] + 0.5)
    }
  }
  panel.canvas.width = image.width
  panel.canvas.height = image.height
  panel.canvas.getContext("2d").putImageData(out, 0, 0)
}

async function draw(view) {
  const { data } = view
  const turn = (view.turn += 1)
  for (const panel of view.panels) {
    panel.image ??= await pixels(panel.given.image)
    if (panel.given.target) panel.target ??= await indices(panel.given.target)
    const frame = panel.given.frames[view.frame]
    if (frame) {
      panel.cache[view.frame] ??= await indices(frame)
      panel.predicted = panel.cache[view.frame]
    } else {
      panel.predicted = null
    }
    // A later move of a slider has begun to draw: it shall have the last word.
    if (turn !== view.turn) return
    paint(panel, view, data)
    const caption = panel.given.captions?.[view.frame] ?? ""
    panel.caption.textContent = caption
    panel.canvas.setAttribute(
      "aria-label",
      `${panel.given.title}, ${MODES.find(([m]) => m === view.mode)[1].toLowerCase()}, ${caption}`,
    )
  }
  view.root.dataset.drawn = String(turn)
}

function element(tag, parent, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties)
  parent.append(made)
  return made
}

function slider(parent, name, properties, value, shown, change) {
  const label = element("label", parent)
  element("span", label, { textContent: name })
  const input = element("input", label, { type: "range", ariaLabel: name, ...properties })
  input.value = value
  const output = element("output", label, { textContent: shown(value) })
  input.oninput = () => {
    output.textContent = shown(Number(input.value))
    change(Number(input.value))
  }
  return input
}

function choice(parent, name, options, value, change) {
  const label = element("label", parent)
  element("span", label, { textContent: name })
  const select = element("select", label, { ariaLabel: name })
  for (const [key, text] of options) element("option", select, { value: key, textContent: text })
  select.value = value
  select.onchange = () => change(select.value)
}

function controls(view) {
  const { data } = view
  const bar = element("div", view.root, { className: "controls" })
  const redraw = (name, convert = (x) => x) => (value) => {
    view[name] = convert(value)
    draw(view)
  }
  const modes = data.has_targets ? MODES : MODES.filter(([m]) => m !== "errors" && m !== "target")
  choice(bar, "Show", modes, view.mode, redraw("mode"))
  if (data.classes.length > 2) {
    const classes = data.classes.map((c, i) => [String(i), c.name]).slice(1)
    const options = [["-1", "all classes"], ["0", data.classes[0].name], ...classes]
    choice(bar, "Class", options, String(view.chosen), redraw("chosen", Number))
  }
  if (data.steps.length > 1) {
    const range = { min: 0, max: data.steps.length - 1, step: 1, className: "wide" }
    slider(bar, data.step_name, range, view.frame, (i) => data.steps[i], redraw("frame"))
  }
  const unit = { min: 0, max: 1, step: 0.01 }
  const percent = (x) => `${Math.round(100 * x)} %`
  slider(bar, "Opacity", unit, view.opacity, percent, redraw("opacity"))
  slider(bar, "Size", { min: 120, max: 960, step: 20 }, view.width, (x) => x, (x) => {
    view.width = x
    resize(view)
  })
  const legend = element("div", bar, { className: "legend" })
  if (!data.has_targets) return
  for (const [key, name] of [["tp", "true positive"], ["fp", "false positive"], ["fn", "false negative"]]) {
    const entry = element("span", legend)
    element("i", entry).style.background = `rgb(${data.colours[key].join(",")})`
    element("span", entry, { textContent: name })
  }
}

function resize(view) {
  view.grid.style.gridTemplateColumns = `repeat(auto-fill, minmax(min(100%, ${view.width}px), 1fr))`
  if (view.panels.length === 1) view.grid.style.maxWidth = `${view.width * 2}px`
}

function build(view) {
  view.root.replaceChildren()
  controls(view)
  view.grid = element("div", view.root, { className: "panels" })
  view.panels = view.data.panels.map((given) => {
    const figure = element("figure", view.grid)
    const canvas = element("canvas", figure)
    canvas.setAttribute("role", "img")
    const caption = element("figcaption", figure)
    element("b", caption, { textContent: given.title, title: given.title })
    return { given, canvas, caption: element("span", caption), cache: [] }
  })
  if (view.data.note) element("div", view.root, { className: "note", textContent: view.data.note })
  resize(view)
}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".viewer")
  let view = VIEWS.get(root)
  if (view === undefined) {
    view = { root, turn: 0, mode: data.mode, chosen: -1, opacity: data.opacity }
    view.width = data.width
    VIEWS.set(root, view)
  }
  if (view.signature !== data.signature) {
    view.frame = data.steps.indexOf(view.step ?? data.step)
    if (view.start !== data.step || view.frame < 0) view.frame = data.steps.indexOf(data.step)
    view.start = data.step
    view.signature = data.signature
    view.data = data
    build(view)
    draw(view)
  }
  return () => VIEWS.delete(root)
}
