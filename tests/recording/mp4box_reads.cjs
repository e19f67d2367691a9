// What GPAC's MP4Box in JavaScript (npm mp4box) finds in a file: tracks, samples, and every complaint.
"use strict";

const fs = require("node:fs");
const MP4Box = require(`${process.argv[2]}/mp4box/dist/mp4box.all.cjs`);

const complaints = [];
for (const level of ["warn", "error"]) {
  MP4Box.Log[level] = (module, text) => complaints.push(`${level} [${module}] ${text}`);
}
const file = MP4Box.createFile();
file.onError = (module, text) => complaints.push(`error [${module}] ${text}`);
const content = fs.readFileSync(process.argv[3]);
const bytes = content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength);
bytes.fileStart = 0;
file.appendBuffer(bytes, true);
file.flush();
const tracks = file.getInfo().tracks.map((track) => {
  const samples = file.getTrackSamplesInfo(track.id);
  return {
    codec: track.codec,
    samples: samples.length,
    first: samples[0].dts,
    ends: samples.at(-1).dts + samples.at(-1).duration,
    perSecond: track.timescale,
    bytes: samples.reduce((sum, sample) => sum + sample.size, 0),
    inside: samples.every((sample) => sample.offset + sample.size <= bytes.byteLength),
  };
});
process.stdout.write(JSON.stringify({ complaints, tracks }));
