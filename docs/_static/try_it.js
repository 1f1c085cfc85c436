/* The page "Try it": web workers denoise a picture, tile by tile. Nothing leaves the browser. */

"use strict";

// What docs/try_it.py packs arrives by script elements, which work from a disk, too.
const tryIt = {
  waiting: {},
  receive(name, text) { this.waiting[name](text); },
};

{
  // Of a picture in pixels, of the part of it that a tile makes, and of what it sees beyond. What
  // lies further than three quarters of the nets' receptive field counts for nothing.
  const MOST = 2e6, SMALLEST = 16, TILE = 640, MARGIN = 96, STRIDE = 8;
  // Smaller pictures do not tell what kind of noise they have.
  const TELLS_KIND = 64;
  // In windows of this side, the level of the noise is a function of the brightness; the one in the
  // middle tells its kind.
  const WINDOW = 384;
  const COMMAND = "<code>skdae denoise photo.jpg -o denoised.jpg</code>";

  // Files of the page

  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const files = {};

  /** The bytes of a file, as a promise; it is loaded once. */
  function load(name) {
    files[name] ??= new Promise((resolve, reject) => {
      tryIt.waiting[name] = resolve;
      const script = document.createElement("script");
      script.src = `${here}try_it/${name}.js`;
      script.onerror = () => {
        delete files[name];
        reject(new Error(`${name}.js could not be loaded.`));
      };
      document.head.append(script);
    }).then(async (text) => {
      const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt());
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
      return new Uint8Array(await new Response(stream).arrayBuffer());
    });
    return files[name];
  }

  // Pictures

  /** A picture as it is seen, upright; its middle where it is too large for a browser. */
  async function decode(file) {
    // Colors as the file has them, also where they are transparent.
    const exact = { premultiplyAlpha: "none" };
    const whole = await createImageBitmap(file, exact);
    const megapixels = (whole.width * whole.height) / 1e6;
    const scale = Math.min(1, Math.sqrt(MOST / 1e6 / megapixels));
    const sides = [whole.width, whole.height].map((n) => Math.floor(n * scale));
    const corner = [(whole.width - sides[0]) >> 1, (whole.height - sides[1]) >> 1];
    const bitmap = scale < 1 ? await createImageBitmap(whole, ...corner, ...sides, exact) : whole;
    const [width, height] = sides;
    return { name: file.name, width, height, megapixels, rgba: pixels(bitmap) };
  }

  /** The pixels of a bitmap, exact by WebGL: a 2-D canvas multiplies them by alpha. */
  function pixels(bitmap) {
    const { width, height } = bitmap;
    const gl = document.createElement("canvas").getContext("webgl2");
    if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      return context.getImageData(0, 0, width, height).data;
    }
    const rgba = new Uint8ClampedArray(4 * width * height);
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(rgba.buffer));
    gl.getExtension("WEBGL_lose_context")?.loseContext();
    return rgba;
  }

  /** Whether a pixel is of a kind. */
  function some(rgba, is) {
    for (let i = 0; i < rgba.length; i += 4) {
      if (is(rgba[i], rgba[i + 1], rgba[i + 2], rgba[i + 3])) return true;
    }
    return false;
  }

  /** Values in [0, 1], of one channel where all three are equal. */
  function inputOf({ rgba, width, height }) {
    const n = some(rgba, (r, g, b, alpha) => alpha > 0 && (r !== g || r !== b)) ? 3 : 1;
    const seen = filled(rgba, width, height);
    const values = new Float32Array(n * width * height);
    for (let i = 0; i < values.length; i++) values[i] = seen[4 * Math.floor(i / n) + (i % n)] / 255;
    return { values, n, kind: n === 1 ? "gray" : "color" };
  }

  /** Pixels of which the transparent ones have the colors of the nearest that is not. */
  function filled(rgba, width, height) {
    const isHidden = (i) => rgba[4 * i + 3] === 0;
    // Row of the nearest pixel of the same column, or -1; the upper of two.
    const rows = new Int32Array(width * height).fill(-1);
    for (let x = 0; x < width; x++) {
      for (let y = 0, last = -1; y < height; y++) {
        if (!isHidden(y * width + x)) last = y;
        rows[y * width + x] = last;
      }
      for (let y = height - 1, last = -1; y >= 0; y--) {
        const i = y * width + x;
        if (!isHidden(i)) last = y;
        if (last >= 0 && (rows[i] < 0 || last - y < y - rows[i])) rows[i] = last;
      }
    }
    const result = rgba.slice();
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!isHidden(y * width + x)) continue;
        let nearest = -1, least = Infinity;
        // The left one of two; what is further than a margin changes nothing that is seen.
        for (let d = 0; d <= MARGIN && d * d <= least; d++) {
          for (let side = 1; side >= -1; side -= 2) {
            const column = x + side * d;
            const row = column >= 0 && column < width ? rows[y * width + column] : -1;
            const distance = d * d + (row - y) ** 2;
            const isLeft = distance === least && column < nearest % width;
            if (row >= 0 && (distance < least || isLeft)) {
              nearest = row * width + column;
              least = distance;
            }
          }
        }
        const to = 4 * (y * width + x);
        if (nearest >= 0) result.set(rgba.subarray(4 * nearest, 4 * nearest + 3), to);
      }
    }
    return result;
  }

  /** A PNG file of 8 bits, with as many channels as the picture needs. */
  async function encode({ width, height }, rgba) {
    const isColor = some(rgba, (r, g, b) => r !== g || r !== b);
    const hasAlpha = some(rgba, (r, g, b, alpha) => alpha !== 255);
    const channels = [...(isColor ? [0, 1, 2] : [0]), ...(hasAlpha ? [3] : [])];
    const rows = new Uint8Array(height * (1 + width * channels.length));
    for (let i = 0, to = 0; i < width * height; i++) {
      if (i % width === 0) to++; // no filter
      for (const channel of channels) rows[to++] = rgba[4 * i + channel];
    }
    const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
    const data = new Uint8Array(await new Response(stream).arrayBuffer());
    const header = new DataView(new ArrayBuffer(13));
    header.setUint32(0, width);
    header.setUint32(4, height);
    header.setUint8(8, 8);
    header.setUint8(9, (isColor ? 2 : 0) + (hasAlpha ? 4 : 0));
    const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
    const parts = [chunk("IHDR", new Uint8Array(header.buffer)), chunk("sRGB", Uint8Array.of(0))];
    parts.push(chunk("IDAT", data), chunk("IEND", new Uint8Array()));
    return new Blob([signature, ...parts], { type: "image/png" });
  }

  function chunk(name, data) {
    const bytes = new Uint8Array(data.length + 12), view = new DataView(bytes.buffer);
    view.setUint32(0, data.length);
    bytes.set(new TextEncoder().encode(name), 4);
    bytes.set(data, 8);
    let crc = -1;
    for (const byte of bytes.subarray(4, -4)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 && 0xedb88320);
    }
    view.setUint32(bytes.length - 4, ~crc);
    return bytes;
  }

  // Workers

  /** What runs in a worker, below the runtime: one tile after the other. */
  function work() {
    const sessions = {};
    onmessage = async ({ data: { loader, wasm, graph, name, feeds } }) => {
      try {
        if (wasm) {
          const type = "text/javascript";
          ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([loader], { type })) };
          ort.env.wasm.wasmBinary = wasm;
          ort.env.wasm.numThreads = 1;
        }
        if (graph) sessions[name] = await ort.InferenceSession.create(graph);
        const tensors = Object.entries(feeds).map(([key, { values, shape }]) =>
          [key, new ort.Tensor("float32", values, shape)]);
        const { out } = await sessions[name].run(Object.fromEntries(tensors));
        postMessage({ output: out.data });
      } catch (error) {
        postMessage({ error: String(error) });
      }
    };
  }

  /** A function that runs a graph in a worker, which remembers what it has been given. */
  async function makeWorker() {
    const [runtime, loader, wasm] = await Promise.all(["runtime", "loader", "wasm"].map(load));
    const url = URL.createObjectURL(new Blob([runtime, `;(${work})();`]));
    const worker = new Worker(url);
    const graphs = new Set();
    let given = { loader, wasm };
    const ask = async (name, feeds) => {
      const graph = graphs.has(name) ? undefined : await load(name);
      return new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) =>
          data.error ? reject(new Error(data.error)) : resolve(data.output);
        worker.onerror = (event) => reject(new Error(event.message || "The worker failed."));
        worker.postMessage({ ...given, graph, name, feeds });
        given = {};
        graphs.add(name);
      });
    };
    // One tile after the other, also where the first is of a picture that has been given up.
    let last = Promise.resolve();
    return (...tile) => (last = last.catch(() => {}).then(() => ask(...tile)));
  }

  let pool = null;

  /** One worker per core, at most four: each needs some hundred MB. */
  function workers() {
    const n = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
    pool ??= Promise.all(Array.from({ length: n }, makeWorker)).catch((error) => {
      pool = null;
      throw error;
    });
    return pool;
  }

  /** Along one axis, the parts that tiles make, and what they see. */
  function tilesOf(length) {
    const step = STRIDE * Math.ceil(length / Math.ceil(length / TILE) / STRIDE);
    return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
      const [first, last] = [i * step, Math.min(length, (i + 1) * step)];
      return { first, last, start: Math.max(0, first - MARGIN), stop: Math.min(length, last + MARGIN) };
    });
  }

  /** Along one axis, windows that overlap by half. */
  function windowsOf(length) {
    const step = WINDOW / 2;
    return Array.from({ length: Math.max(1, Math.ceil(length / step) - 1) }, (_, i) => {
      const [start, stop] = [i * step, Math.min(length, i * step + WINDOW)];
      return { first: start, last: stop, start, stop };
    });
  }

  /** Run a graph on parts of a picture; `each` gets what it makes, and says whether to go on. */
  async function byParts(name, { width, height }, arrays, partsOf, each) {
    const parts = partsOf(height).flatMap((row) => partsOf(width).map((column) => ({ row, column })));
    const total = parts.length;
    let goOn = true;
    const runOne = async (worker) => {
      for (let part; goOn && (part = parts.shift()); ) {
        const { row, column } = part;
        const [h, w] = [row.stop - row.start, column.stop - column.start];
        const feeds = Object.entries(arrays).map(([key, values]) => {
          const n = values.length / (width * height), cut = new Float32Array(h * w * n);
          for (let y = 0; y < h; y++) {
            const from = n * ((row.start + y) * width + column.start);
            cut.set(values.subarray(from, from + n * w), n * w * y);
          }
          return [key, { values: cut, shape: [1, h, w, n] }];
        });
        const output = await worker(name, Object.fromEntries(feeds));
        goOn = goOn && each(part, output, total);
      }
    };
    await Promise.all((await workers()).slice(0, total).map(runOne));
  }

  /** The map of the level of the noise of a picture, or nothing when it is given up. */
  async function see(picture, goOn) {
    const { width, height, kind, values: X } = picture;
    const level = new Float32Array(width * height), sums = new Float32Array(width * height);
    const pooled = new Float32Array(width * height);
    await byParts(`${kind}-level`, picture, { X }, tilesOf, ({ row, column }, output) => {
      const w = column.stop - column.start;
      for (let y = row.first; y < row.last; y++) {
        const from = (y - row.start) * w - column.start;
        level.set(output.subarray(from + column.first, from + column.last), y * width + column.first);
      }
      return goOn();
    });
    // Windows fade into each other.
    const fade = (i, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 1)) / (n + 1));
    await byParts(`${kind}-pooled`, picture, { X, level }, windowsOf, ({ row, column }, output) => {
      const [h, w] = [row.stop - row.start, column.stop - column.start];
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const weight = fade(y, h) * fade(x, w), to = (row.start + y) * width + column.start + x;
          pooled[to] += weight * output[y * w + x];
          sums[to] += weight;
        }
      }
      return goOn();
    });
    return goOn() ? pooled.map((value, i) => value / sums[i]) : null;
  }

  /** The graph that removes the kind of noise that a picture has. */
  async function kindOf(picture) {
    const { width, height, kind, values: X, level } = picture;
    let isIndependent = false;
    const middleOf = (length) => {
      const start = Math.max(0, length - WINDOW) >> 1;
      return [{ start, stop: Math.min(length, start + WINDOW) }];
    };
    if (Math.min(width, height) >= TELLS_KIND) {
      await byParts(`${kind}-is_independent`, picture, { X, level }, middleOf, (_, output) => {
        isIndependent = output[0] > 0;
      });
    }
    return `${kind}-${isIndependent ? "independent" : "correlated"}`;
  }

  // The page

  const $ = (name) => document.querySelector(`#try-it [data-is="${name}"]`);
  let picture = null, result = null, turn = 0;

  function say(html) { $("status").innerHTML = html; }

  function escaped(text) {
    return Object.assign(document.createElement("span"), { textContent: text }).innerHTML;
  }

  async function open(file) {
    const mine = ++turn;
    say("Reading the picture …");
    let opened;
    try {
      opened = await decode(file);
    } catch {
      say(`Your browser can’t open ${escaped(file.name)} as a picture. It knows PNG, JPEG and WebP; `
        + `for TIFF and 16 bits, use the command: ${COMMAND}`);
      return;
    }
    if (mine !== turn) return;
    if (Math.min(opened.width, opened.height) < SMALLEST) {
      say(`The picture is ${opened.width} × ${opened.height}; it needs at least ${SMALLEST} pixels a side.`);
      return;
    }
    picture = { ...opened, ...inputOf(opened) };
    for (const canvas of [$("before"), $("after")]) draw(canvas, picture.rgba);
    $("result").hidden = false;
    $("size").hidden = picture.width <= $("view").clientWidth;
    $("view").classList.toggle("actual", $("actual").checked && !$("size").hidden);
    const { megapixels } = picture;
    $("large").hidden = megapixels <= MOST / 1e6;
    $("large").innerHTML = `Your picture has ${megapixels.toFixed(1)} megapixels; a browser takes `
      + `long for more than ${MOST / 1e6}, so this is its middle. For all of it, use the command: ${COMMAND}`;
    await run();
  }

  function draw(canvas, rgba) {
    const { width, height } = picture;
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  }

  async function run() {
    const mine = ++turn, { width, height, rgba, n, kind } = picture;
    const strength = Number($("strength").value), goOn = () => mine === turn;
    const began = performance.now(), out = rgba.slice();
    let done = 0, squares = 0;
    result = null;
    $("download").disabled = true;
    $("bar").hidden = false;
    $("bar").removeAttribute("value");
    say("Loading the networks, about 8 MB …");
    const each = ({ row, column }, output, total) => {
      if (!goOn()) return false;
      squares += paste(out, rgba, width, row, column, output, n);
      const part = [column.first, row.first, column.last - column.first, row.last - row.first];
      $("after").getContext("2d").putImageData(new ImageData(out, width, height), 0, 0, ...part);
      $("bar").value = ++done / total;
      return true;
    };
    try {
      const steps = ["level", "pooled", "is_independent"];
      await Promise.all([workers(), ...steps.map((step) => load(`${kind}-${step}`))]);
      if (!goOn()) return;
      say("Denoising …");
      // What is seen serves every strength.
      picture.level ??= await see(picture, goOn);
      if (!goOn()) return;
      picture.graph ??= await kindOf(picture);
      await load(picture.graph);
      if (!goOn()) return;
      const arrays = { X: picture.values, level: picture.level.map((value) => strength * value) };
      await byParts(picture.graph, picture, arrays, tilesOf, each);
    } catch (error) {
      if (goOn()) say(`That did not work: ${escaped(error.message)}`);
      return;
    } finally {
      if (goOn()) $("bar").hidden = true;
    }
    if (!goOn()) return;
    result = out;
    $("download").disabled = false;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const removed = Math.sqrt(squares / (3 * width * height)).toFixed(1);
    say(squares
      ? `Done in ${seconds} s. What was removed has a standard deviation of ${removed} gray levels of 255.`
      : strength ? "The networks see no noise here: the picture is as it was." : "Strength 0 changes nothing.");
  }

  /** Put the middle of a tile into the pixels; the sum of the squares of what that changed. */
  function paste(out, rgba, width, row, column, output, n) {
    const w = column.stop - column.start;
    let squares = 0;
    for (let y = row.first; y < row.last; y++) {
      for (let x = column.first; x < column.last; x++) {
        const to = 4 * (y * width + x), from = n * ((y - row.start) * w + x - column.start);
        if (rgba[to + 3] === 0) continue;
        for (let c = 0; c < 3; c++) {
          out[to + c] = Math.round(255 * output[from + (n === 1 ? 0 : c)]);
          squares += (out[to + c] - rgba[to + c]) ** 2;
        }
      }
    }
    return squares;
  }

  async function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await encode(picture, result));
    link.download = `${picture.name.replace(/\.\w+$/, "")}_denoised.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
  }

  function start() {
    const take = (list) => {
      const file = [...list].find((item) => item.type.startsWith("image/")) ?? list[0];
      if (file) open(file);
    };
    $("file").onchange = (event) => {
      take(event.target.files);
      event.target.value = "";
    };
    $("example").onclick = async () => open(new File([await load("example")], "dahlia.jpg"));
    $("strength").oninput = () => { $("strength-value").value = Number($("strength").value).toFixed(1); };
    $("strength").onchange = run;
    $("download").onclick = download;
    $("actual").onchange = (event) => $("view").classList.toggle("actual", event.target.checked);
    const over = (is) => (event) => {
      event.preventDefault();
      $("choose").classList.toggle("over", is);
      if (event.type === "drop") take(event.dataTransfer.files);
    };
    document.addEventListener("dragover", over(true));
    for (const name of ["dragleave", "drop"]) document.addEventListener(name, over(false));
    document.addEventListener("paste", (event) => take(event.clipboardData.files));
    $("choose").hidden = false;
  }

  document.addEventListener("DOMContentLoaded", start);
}
