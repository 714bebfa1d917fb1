/** Follows messages from actor to actor, so that what one actor does for another is tied to what asked for it. */

/** More than calls that are open between two actors at one time. */
const CALLS = 2 ** 20;
const ACTORS = 256;
/** Tasks that never show anything are forgotten when there are too many of them. */
const TASKS_MAX = 1 << 16;

/** A message on its way. */
export interface Message {
  readonly name: string;
  /** What it belongs to. */
  readonly flow: number;
}

/** What was delivered last, until something else is done. */
interface Delivered {
  readonly message: Message;
  /** The task that takes messages to its actor; 0 outside of all. */
  readonly by: number;
}

export class MessageFlows {
  private readonly underWay = new Map<number, Message[]>();
  /** By actor. */
  private readonly delivered: (Delivered | null)[];
  private readonly ofTasks = new Map<number, number>();

  constructor(actors: number) {
    this.delivered = new Array<Delivered | null>(actors).fill(null);
  }

  send(from: number, to: number, call: number, isReply: boolean, message: Message): void {
    const key = keyOf(from, to, call, isReply);
    const before = this.underWay.get(key);
    // Notices share call 0; of each pair of actors they arrive in their order.
    if (before === undefined) this.underWay.set(key, [message]);
    else before.push(message);
  }

  /** Null where the recording does not hold the sending. */
  deliver(from: number, to: number, call: number, isReply: boolean, by: number): Message | null {
    const key = keyOf(from, to, call, isReply);
    const messages = this.underWay.get(key);
    const message = messages?.shift() ?? null;
    if (messages?.length === 0) this.underWay.delete(key);
    this.delivered[to] = isReply || message === null ? null : { message, by };
    return message;
  }

  /** The task works for this flow until it has answered. */
  adopt(task: number, flow: number): void {
    if (this.ofTasks.size >= TASKS_MAX) this.ofTasks.clear();
    this.ofTasks.set(task, flow);
  }

  /** Something is done in this task of the actor; in another one than that which has delivered, it is not for what was delivered. */
  goesOn(actor: number, task: number): void {
    const delivered = this.delivered[actor];
    if (delivered !== null && delivered.by !== task) this.delivered[actor] = null;
  }

  /** A task that begins right after a delivery serves what was delivered. */
  spawn(actor: number, task: number): void {
    const delivered = this.delivered[actor];
    this.delivered[actor] = null;
    if (delivered !== null) this.adopt(task, delivered.message.flow);
  }

  /** What the task works for. */
  flowOf(task: number): number | null {
    return this.ofTasks.get(task) ?? null;
  }

  /** What was asked for is answered. */
  end(actor: number, task: number): void {
    this.delivered[actor] = null;
    this.ofTasks.delete(task);
  }

  /** What the actor was asked that needs no task of its own. */
  justDelivered(actor: number): number | null {
    return this.delivered[actor]?.message.flow ?? null;
  }
}

function keyOf(from: number, to: number, call: number, isReply: boolean): number {
  return ((from * ACTORS + to) * 2 + (isReply ? 1 : 0)) * CALLS + (call % CALLS);
}
