// The report's viewer: NiiVue with labeled controls. `window.openViewer` is called once, when the reader asks for it.
import { NVImage, Niivue, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";

const WINDOWS = { brain: [0, 80], blood: [-20, 180], stroke: [20, 50], bone: [-500, 1500] };

/**
 * @param root the panel: a canvas, controls with a name, a status line
 * @param images NIfTI files as array buffers: ct, blood, anatomy (null where there is none)
 * @param about captions (one a slice, from the lowest), first (slice to begin with), blood and anatomy (label colors)
 */
window.openViewer = async (root, images, about) => {
  const control = (name) => root.querySelector(`[name=${name}]`);
  const canvas = root.querySelector("canvas");
  const slice = control("slice");
  const view = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairColor: [1, 0.84, 0.29, 0.8],
    crosshairWidth: 0,
    dragAndDropEnabled: false,
    fontColor: [0.8, 0.8, 0.8, 1],
    isRadiologicalConvention: true,
    logLevel: "silent",
    multiplanarShowRender: SHOW_RENDER.NEVER,
    scrollRequiresFocus: true,
    sliceType: SLICE_TYPE.AXIAL,
    viewModeHotKey: "",
    clipPlaneHotKey: "",
    cycleClipPlaneHotKey: "",
  });
  await view.attachToCanvas(canvas);
  const load = (name) => NVImage.loadFromUrl({ url: `${name}.nii`, name: `${name}.nii`, buffer: images[name] });
  const ct = await load("ct");
  const blood = await load("blood");
  blood.setColormapLabel(about.blood);
  let anatomy = null;
  const show = () => {
    [ct.cal_min, ct.cal_max] = WINDOWS[control("window").value];
    blood.opacity = control("masks").value / 100;
    view.volumes = control("anatomy")?.checked ? [ct, blood, anatomy] : [ct, blood];
    view.setVolume(ct, 0);
  };

  const count = about.captions.length;
  const tell = () => {
    slice.setAttribute("aria-valuetext", about.captions[slice.value]);
    root.querySelector("[role=status]").textContent = about.captions[slice.value];
  };
  const go = (k) => {
    slice.value = k;
    const [x, y] = view.scene.crosshairPos;
    view.scene.crosshairPos = [x, y, (Number(slice.value) + 0.5) / count];
    view.drawScene();
    tell();
  };
  const setAnatomy = async () => {
    anatomy ??= await load("anatomy");
    anatomy.setColormapLabel(about.anatomy);
    anatomy.opacity = 0.35;
    show();
  };
  const setPlanes = () => {
    const all = control("planes").value === "all";
    view.opts.crosshairWidth = all ? 1 : 0;
    view.setSliceType(all ? SLICE_TYPE.MULTIPLANAR : SLICE_TYPE.AXIAL);
  };
  view.onLocationChange = ({ frac }) => {
    slice.value = Math.min(count - 1, Math.floor(frac[2] * count));
    tell();
  };
  slice.max = count - 1;
  slice.addEventListener("input", () => go(slice.value));
  control("window").addEventListener("change", show);
  control("masks").addEventListener("change", show);
  control("anatomy")?.addEventListener("change", setAnatomy);
  control("planes").addEventListener("change", setPlanes);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: 1, ArrowRight: 1, PageUp: 5, ArrowDown: -1, ArrowLeft: -1, PageDown: -5 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(Number(slice.value) + steps[event.key]);
  });
  document.querySelectorAll("[data-slice]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      go(button.dataset.slice);
      root.scrollIntoView();
      slice.focus();
    });
  });
  show();
  go(about.first);
};
