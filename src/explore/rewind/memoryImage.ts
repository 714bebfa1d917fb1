/** Remembers what is in a piece of memory that views look at, and puts it back. */

import type { Image } from './changingImages.js';

/** Of memory that is remembered piece by piece. */
const PIECE_BYTES = 512;
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

export class MemoryImage implements Image {
  private readonly kept: Int32Array;

  constructor(private readonly words: Int32Array) {
    this.kept = Int32Array.from(words);
  }

  readonly isSame = (): boolean => {
    const { words, kept } = this;
    for (let i = 0; i < kept.length; i++) if (words[i] !== kept[i]) return false;
    return true;
  };

  restore(): void {
    this.words.set(this.kept);
  }
}

/** For what is no multiple of a word. */
class BytesImage implements Image {
  private readonly kept: Uint8Array;

  constructor(private readonly bytes: Uint8Array) {
    this.kept = Uint8Array.from(bytes);
  }

  readonly isSame = (): boolean => this.kept.every((byte, i) => byte === this.bytes[i]);

  restore(): void {
    this.bytes.set(this.kept);
  }
}

/** Small pieces, so that only those are put back of which anything is used. */
export function imagesOfMemory(memory: ArrayBuffer | SharedArrayBuffer): Image[] {
  const images: Image[] = [];
  const { byteLength } = memory;
  const wholeBytes = byteLength - (byteLength % WORD_BYTES);
  for (let at = 0; at < wholeBytes; at += PIECE_BYTES) {
    const words = Math.min(PIECE_BYTES, wholeBytes - at) / WORD_BYTES;
    images.push(new MemoryImage(new Int32Array(memory, at, words)));
  }
  if (wholeBytes < byteLength)
    images.push(new BytesImage(new Uint8Array(memory, wholeBytes, byteLength - wholeBytes)));
  return images;
}
