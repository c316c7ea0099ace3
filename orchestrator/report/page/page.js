"use strict";
(() => {
  const island = (id) => {
    const found = document.getElementById(id);
    return found ? JSON.parse(found.textContent) : null;
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const inflated = (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")));
  };

  // Charts: drawChart comes with the library, a script that the page's policy knows by its hash.
  const library = async () => {
    const script = document.createElement("script");
    script.textContent = await inflated(island("chart-script")).text();
    document.head.append(script);
  };
  let loaded = null;
  const placeOf = (id) => document.querySelector(`[data-chart="${id}"]`);
  const draw = async (id, spec) => {
    loaded ??= library();
    await loaded;
    const made = await drawChart(placeOf(id), spec);
    placeOf(id).dataset.drawn = "";
    return made;
  };
  for (const [id, spec] of Object.entries(island("charts"))) draw(id, spec);

  // Tables that sort and filter.
  const valueOf = (cell) => {
    const given = cell.dataset.v;
    if (given === undefined) return cell.textContent.trim();
    return given === "" ? null : Number(given);
  };
  const order = new Intl.Collator(undefined, { numeric: true }).compare;
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : order(String(a), String(b)));
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.dataset.still !== undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction);
        const sign = direction === "ascending" ? 1 : -1;
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
        rows.sort(([a], [b]) => {
          if (a === null || b === null) return (a === null) - (b === null);
          return sign * compare(a, b);
        });
        body.append(...rows.map(([, row]) => row));
      });
    });
  };
  const filterable = (table) => {
    const form = document.querySelector(`[data-filters="${table.id}"]`);
    if (!form) return;
    const field = form.querySelector("input");
    const said = form.querySelector("output");
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    form.hidden = false;
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        left += !row.hidden;
      });
      said.textContent = words.length ? `${left} of ${rows.length} rows` : "";
    });
  };
  document.querySelectorAll("table[data-sortable]").forEach((table) => {
    sortable(table);
    filterable(table);
  });

  // Power over time: each run's series is compressed, and decoded when it is opened.
  const series = island("series");
  const template = island("power-spec");
  const picker = document.getElementById("power-run");
  const summed = (steps, unit) => {
    let sum = 0;
    return steps.map((step) => (sum += step) * unit);
  };
  // Thinning keeps the extremes, so these are those of all samples; a mean would not be.
  const tabled = (sources, power, phases) => {
    const table = document.createElement("table");
    const lined = (into, tag, texts) => {
      const row = into.insertRow();
      texts.forEach((text, place) => {
        const cell = document.createElement(place && tag === "td" ? "td" : "th");
        if (cell.tagName === "TH") cell.scope = tag === "td" ? "row" : "col";
        if (place) cell.className = "n";
        cell.textContent = text;
        row.append(cell);
      });
    };
    table.createCaption().textContent = "Lowest and highest power in each phase";
    lined(table.createTHead(), "th", ["Phase", "From (s)", "To (s)", ...sources.map((source) => `${source} (W)`)]);
    const body = table.createTBody();
    for (const { phase, start_s, end_s, strip } of phases) {
      if (strip) continue;
      const within = sources.map((source) => {
        const watts = power.filter((at) => at.source === source && at.t_s >= start_s && at.t_s <= end_s);
        if (!watts.length) return "—";
        const ends = [Math.min, Math.max].map((of) => of(...watts.map((at) => at.power_w)));
        return ends.map((watt) => (watt < 100 ? watt.toPrecision(3) : watt.toFixed(0))).join(" to ");
      });
      lined(body, "td", [phase, start_s.toFixed(1), end_s.toFixed(1), ...within]);
    }
    return table;
  };
  let shown = null;
  let last = Promise.resolve();
  const opened = async (id) => {
    if (id !== picker.value) return; // another was chosen meanwhile
    const run = await inflated(series[id]).json();
    const power = [];
    for (const [source, step_w, times, watts] of run.traces) {
      const at = summed(times, 0.001);
      summed(watts, step_w).forEach((power_w, place) => power.push({ source, t_s: at[place], power_w }));
    }
    document.getElementById("power-title").textContent = run.title;
    document.getElementById("power-facts").textContent = run.facts;
    document.getElementById("power-table").replaceChildren(tabled(run.traces.map(([source]) => source), power, run.phases));
    document.getElementById("power-phases").hidden = false;
    if (shown) shown.finalize();
    shown = await draw("power", { ...template, description: run.description, datasets: { power, phases: run.phases } });
  };
  let asked = false;
  const open = () => {
    const id = picker.value;
    asked = true;
    last = last.then(() => opened(id));
  };
  if (series && picker) {
    const step = (by) => {
      const place = picker.selectedIndex + by;
      if (place < 0 || place >= picker.length) return;
      picker.selectedIndex = place;
      open();
    };
    picker.addEventListener("change", open);
    document.getElementById("power-before").addEventListener("click", () => step(-1));
    document.getElementById("power-after").addEventListener("click", () => step(1));
    document.querySelectorAll("[data-run]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => {
        picker.value = button.dataset.run;
        open();
        document.getElementById("power-over-time").scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
        picker.focus({ preventScroll: true });
      });
    });
    document.querySelectorAll(".picker").forEach((part) => (part.hidden = false));
    // Once nothing else is to be done, so that paper has a chart too.
    (window.requestIdleCallback ?? setTimeout)(() => asked || open());
  }

  // Paper cannot be opened: what is told of methods stands there, other details are left out.
  const methods = document.querySelector("details.methods");
  if (methods) {
    let before = false;
    addEventListener("beforeprint", () => {
      before = methods.open;
      methods.open = true;
    });
    addEventListener("afterprint", () => (methods.open = before));
  }
})();
