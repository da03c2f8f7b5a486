
// Draws the curves of the page and lets its tables be sorted by the keyboard; everything that it needs is in the page.
(function () {
  "use strict";
  // The colours of Okabe and Ito (2008), which eyes of every kind tell apart; then again, dashed.
  var COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#7f7f7f"];
  // Between marks of an axis: there is no half of an epoch.
  var EPOCH_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
  var page = JSON.parse(document.getElementById("numbers").textContent);
  var ink = getComputedStyle(document.body).color;
  var holder = document.getElementById("charts");

  function series(run) {
    var at = run - 1;
    return {
      label: page.runs[at],
      stroke: COLOURS[at % COLOURS.length],
      dash: [[], [6, 3], [2, 2]][Math.floor(at / COLOURS.length) % 3],
      width: 1.6,
      spanGaps: true,
      points: { size: 5 }
    };
  }

  function draw(chart) {
    var epochs = Array.from(new Set(chart.curves.flatMap(function (curve) { return curve.epochs; })));
    epochs.sort(function (a, b) { return a - b; });
    var rows = chart.curves.map(function (curve) {
      var values = new Map(curve.epochs.map(function (epoch, at) { return [epoch, curve.values[at]]; }));
      return epochs.map(function (epoch) { return values.has(epoch) ? values.get(epoch) : null; });
    });
    var box = document.createElement("div");
    box.className = "chart";
    holder.appendChild(box);
    var axis = { stroke: ink, grid: { stroke: "rgba(128,128,128,0.25)", width: 1 }, ticks: { stroke: "rgba(128,128,128,0.4)" } };
    var options = {
      title: chart.metric,
      width: box.clientWidth || 320,
      height: 220,
      scales: { x: { time: false } },
      axes: [Object.assign({ label: "epoch", labelSize: 20, incrs: EPOCH_STEPS }, axis), Object.assign({ size: 56, values: exactly }, axis)],
      legend: { show: chart.curves.length <= 12 },
      series: [{ label: "epoch" }].concat(chart.curves.map(function (curve) { return series(curve.run); }))
    };
    var plot = new uPlot(options, [epochs].concat(rows), box);
    window.addEventListener("resize", function () { plot.setSize({ width: box.clientWidth, height: 220 }); });
  }

  // uPlot rounds to three decimals, which makes learning rates alike.
  function exactly(plot, splits) {
    return splits.map(function (value) { return String(Number(value.toPrecision(6))); });
  }

  page.charts.forEach(draw);
  document.addEventListener("keydown", function (event) {
    var head = event.target.closest ? event.target.closest(".sortable thead th") : null;
    if (head && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      head.click();
    }
  });
})();
