/** What is wrong with a bug overlay itself: whoever writes one is told like anybody who gives bad input, wherever in a run it shows. */

import { UserError } from '../base/userError.js';

export class OverlayMistake extends UserError {}
