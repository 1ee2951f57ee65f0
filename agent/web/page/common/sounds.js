// Sounds for what must not be missed: a refusal, a paper that did not come. A setting of this browser, off at first.

const KEY = "ksef-agent.sounds";
const TONES = { refused: [[440, 0], [330, .16]], unprinted: [[660, 0], [660, .2], [660, .4]] }; // hertz, seconds from now
const LENGTH = .13; // seconds of a tone

export const isOn = () => localStorage.getItem(KEY) === "on";

export const turn = (on) => localStorage.setItem(KEY, on ? "on" : "off");

/** Sound a signal by name, where sounds are on and the browser lets the page. */
export function signal(name) {
  if (!isOn() || !window.AudioContext) return;
  const audio = new AudioContext();
  for (const [pitch, start] of TONES[name]) {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    loudness.gain.value = .15;
    tone.frequency.value = pitch;
    tone.connect(loudness).connect(audio.destination);
    tone.start(audio.currentTime + start);
    tone.stop(audio.currentTime + start + LENGTH);
  }
  setTimeout(() => audio.close(), 1_000);
}
