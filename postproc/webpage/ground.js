"use strict";
{
  const find = name => document.getElementById(name);
  const {tiles, ours, truths} = JSON.parse(find("ground-data").textContent);
  const corners = ([south, west, north, east]) => [[south, west], [north, east]];
  const map = L.map("ground-map", {preferCanvas: true, attributionControl: false, scrollWheelZoom: false, zoomSnap: 0.25,
    maxZoom: 24, zoomAnimation: false, fadeAnimation: false});
  map.getContainer().addEventListener("focus", () => map.scrollWheelZoom.enable());
  map.getContainer().addEventListener("blur", () => map.scrollWheelZoom.disable());
  const text = words => { const node = document.createElement("span"); node.textContent = words; return node; };
  const groups = new Map();
  for (const tile of tiles) {
    const box = L.latLngBounds(corners(tile.bounds));
    groups.set(tile.group, groups.has(tile.group) ? groups.get(tile.group).extend(box) : box);
  }
  const line = (each, colour) => L.polygon(each.rings,
    {color: colour, weight: 2, fillColor: colour, fillOpacity: each.wrong ? 0.45 : 0.04});
  const layers = {
    images: L.layerGroup(tiles.map(tile => L.imageOverlay(tile.picture, corners(tile.bounds)))),
    tiles: L.layerGroup(tiles.map(tile => L.rectangle(corners(tile.bounds),
      {color: "#888888", weight: 1, fill: true, fillOpacity: 0})
      .bindPopup(() => text(`${tile.id}, group ${tile.group}: IoU ${tile.iou.toFixed(3)}`)))),
    truths: L.layerGroup(truths.map(each => line(each, "#56b4e9")
      .bindPopup(() => text(each.wrong ? "a true building, mostly not found" : "a true building")))),
    ours: L.layerGroup(ours.map(each => line(each, "#ff7f2a")
      .bindPopup(() => text(each.words + (each.wrong ? "; mostly no building by the labels" : ""))))),
  };
  const show = () => {
    for (const layer of Object.values(layers)) layer.remove();
    for (const [name, layer] of Object.entries(layers)) if (find(`ground-${name}`).checked) layer.addTo(map);
  };
  const go = () => map.fitBounds(groups.get(find("ground-group").value), {padding: [10, 10], animate: false});
  for (const name of Object.keys(layers)) find(`ground-${name}`).addEventListener("change", show);
  find("ground-group").addEventListener("change", go);
  go();
  show();
  addEventListener("resize", () => map.invalidateSize());
  for (const [name, words] of [["in", "Zoom in"], ["out", "Zoom out"]]) {
    map.getContainer().querySelector(`.leaflet-control-zoom-${name}`).setAttribute("aria-label", words);
  }
}
