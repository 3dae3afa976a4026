// A picture from the camera of a computer; a phone has its own way to take photographs.

import { html, useEffect, useRef } from "../html.js";
import { Dialog } from "../parts/dialog.js";

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia); // only on a secure address

const REFUSED = new Error("The camera cannot be used: it was not allowed, or there is none.");

// taken(blob): called with the picture. close(problem): called at the end.
export function Webcam({ taken, close }) {
  const video = useRef(null);
  useEffect(() => {
    const opening = navigator.mediaDevices.getUserMedia({ video: true });
    opening.then((stream) => video.current && (video.current.srcObject = stream), () => close(REFUSED));
    return () => opening.then((stream) => stream.getTracks().forEach((track) => track.stop()), () => {});
  }, []);
  const take = () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.current.videoWidth, video.current.videoHeight];
    if (!canvas.width) return; // it shows nothing yet
    canvas.getContext("2d").drawImage(video.current, 0, 0);
    canvas.toBlob((blob) => taken(blob), "image/png");
  };
  return html`<${Dialog} title="Hold a digit before the camera" close=${() => close(null)}>
    <video ref=${video} width="640" height="480" autoplay muted playsinline></video>
    <p class="hint">It may be anywhere in the picture: the picture is cropped to the ink.</p>
    <div class="row"><button type="button" class="main" onClick=${take}>Take the picture</button><button value="no">Cancel</button></div>
  <//>`;
}
