"use strict";
// Okabe-Ito colours, the lighter ones on dark paper. Figures name colours as "@blue".
const PALETTES = {
  light: {blue: "#0072B2", orange: "#D55E00", green: "#009E73", purple: "#AA4A86", grey: "#7a828c", ink: "#1b1f24", paper: "#ffffff", middle: "#f2f2f2", grid: "#e3e7ec"},
  dark: {blue: "#56B4E9", orange: "#E69F00", green: "#2fc79a", purple: "#E39CC4", grey: "#8b949e", ink: "#e6e9ed", paper: "#14171b", middle: "#262b31", grid: "#2b3138"},
};
const FIGURES = JSON.parse(document.getElementById("figures").textContent);
const DARK = window.matchMedia("(prefers-color-scheme: dark)");
const PRINT = window.matchMedia("print");

function coloured(value, palette) {
  if (typeof value === "string") return value.startsWith("@") ? palette[value.slice(1)] : value;
  if (Array.isArray(value)) return value.map((item) => coloured(item, palette));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, palette)]));
  }
  return value;
}

function layoutOf(layout, palette, narrow) {
  const full = coloured(layout, palette);
  for (const axis of ["xaxis", "yaxis", "yaxis2"]) {
    if (axis !== "yaxis2" || full[axis]) {
      full[axis] = {gridcolor: palette.grid, zerolinecolor: palette.grey, linecolor: palette.grey, automargin: true, ...full[axis]};
    }
  }
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: {color: palette.ink, size: narrow ? 11 : 12, family: "system-ui, sans-serif"},
    hoverlabel: {bgcolor: palette.paper, font: {color: palette.ink}},
    margin: narrow ? {l: 8, r: 8, t: 10, b: 10} : {l: 56, r: 16, t: 30, b: 44},
    legend: {orientation: "h", x: 0, y: 1, yanchor: "bottom", itemsizing: "constant"},
    modebar: {bgcolor: "rgba(0,0,0,0)", color: palette.grey, activecolor: palette.blue},
    dragmode: narrow ? false : "zoom",
    ...full,
  };
}

function draw() {
  const palette = DARK.matches && !PRINT.matches ? PALETTES.dark : PALETTES.light;
  const narrow = window.innerWidth < 560;
  const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];
  const bar = narrow || PRINT.matches ? false : "hover";
  const config = {responsive: true, displaylogo: false, displayModeBar: bar, modeBarButtons: buttons, scrollZoom: false};
  return Promise.all(Array.from(document.querySelectorAll(".plot"), (place) => {
    const figure = FIGURES[place.dataset.figure];
    return Plotly.react(place, coloured(figure.data, palette), layoutOf(figure.layout, palette, narrow), config);
  }));
}

draw().then((drawn) => { document.documentElement.dataset.plotsDrawn = String(drawn.length); });
DARK.addEventListener("change", draw);
PRINT.addEventListener("change", draw);
