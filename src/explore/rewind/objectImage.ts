/** Remembers the state of all objects that some lead to, and puts it back: objects are not made anew, and those made since are forgotten. */

import { ChangingImages, type Image } from './changingImages.js';
import { ArrayImage, MapImage, SetImage } from './collectionImages.js';
import { imagesOfMemory } from './memoryImage.js';
import { ObjectGraph } from './objectGraph.js';
import { RecordImages } from './recordImages.js';

/**
 * Found and put back is what properties, collections and memory hold. What a function has closed over, and where a generator stands, nobody from
 * outside can see: it must not change, or be reached by a property too.
 */
export class ObjectImage {
  private readonly records: RecordImages;
  private readonly arrays: ChangingImages<ArrayImage>;
  private readonly maps: ChangingImages<MapImage>;
  private readonly sets: ChangingImages<SetImage>;
  private readonly memories: ChangingImages<Image>;
  /** Whether nothing was met that hides its state. */
  readonly isWhole: boolean;

  /** `isLeaf`: what counts as one thing that does not change. */
  constructor(roots: readonly object[], isLeaf: (node: object) => boolean) {
    const graph = new ObjectGraph(roots, isLeaf);
    this.isWhole = graph.isWhole;
    this.records = new RecordImages(graph.records);
    this.arrays = new ChangingImages(graph.arrays.map((array) => new ArrayImage(array)));
    this.maps = new ChangingImages(graph.maps.map((map) => new MapImage(map)));
    this.sets = new ChangingImages(graph.sets.map((set) => new SetImage(set)));
    this.memories = new ChangingImages(graph.memories.flatMap(imagesOfMemory));
  }

  /** Looks at everything; whether something was found changed that {@link restore} would not have put back. */
  learn(): boolean {
    const found = [this.records, this.arrays, this.maps, this.sets, this.memories].map((images) =>
      images.learn(),
    );
    return found.includes(true);
  }

  /** All that has been seen to change: nothing is left out if {@link learn} is asked before. */
  restore(): void {
    this.records.restore();
    this.arrays.restore();
    this.maps.restore();
    this.sets.restore();
    this.memories.restore();
  }
}
