/** One actor's end of a pair of rings: typed requests, replies and notices to one other actor. */

import { AssertionFailure, assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';
import type { FieldCodec, Words } from './fieldCodec.js';
import { type Fields, type MessageType, messageName, type Values } from './message.js';
import { RING_SLOT_WORDS, type Ring } from './ring.js';
import type { Scheduler } from './scheduler.js';
import { defineStep, PARK, type Steps } from './steps.js';
import type { ActorId, Task, Waitable } from './task.js';

/** Fields: the peer, the type of the message (0 for a reply), and the number of the call, which a request and its reply share; 0 for a notice. */
export const PortStep = {
  send: defineStep('sim.send', 'id', 'id', 'id'),
  reply: defineStep('sim.reply', 'id', 'id', 'id'),
  deliver: defineStep('sim.deliver', 'id', 'id', 'id'),
} as const;

const REPLY = 0;
const NOTICE = 0;
/**
 * Unsent messages a port holds back while its ring is full; beyond it the peer is taken for dead. One invalidation sends one for each range of a notifier,
 * without a wait: 131,072 where a notifier covers 512 MiB in ranges of 4 KiB.
 */
const BACKLOG_MAX = 1 << 20;

const NOBODY: readonly Task[] = [];

/** What of a type has nothing to do with its fields. */
type AnyMessageType = Pick<MessageType<Fields, Fields>, 'id' | 'name' | 'isDeferrable'>;

/** What waits for the peer's replies say: one text for each type, since a trace looks up the text of each wait. */
class WaitTexts {
  private readonly texts: (string | undefined)[] = [];
  constructor(private readonly peer: string) {}

  of(type: AnyMessageType | null): string {
    if (type === null) return `a reply of ${this.peer}`;
    this.texts[type.id] ??= `a reply of ${this.peer} to ${type.name}`;
    return this.texts[type.id] ?? '';
  }
}

class PendingCall implements Waitable {
  task: Task | null = null;
  readonly words = new Float64Array(RING_SLOT_WORDS);
  /** Nobody need wait for it: the reply has come, or a sleeping peer has as good as sent it. */
  done = false;
  /** The reply is still to come, be it waited for or not: until then the number is not free. */
  isOpen = false;
  /** Of the request; null once its reply has been taken. */
  type: AnyMessageType | null = null;
  constructor(
    private readonly texts: WaitTexts,
    private readonly server: () => Task | null,
  ) {}
  get what(): string {
    return this.type?.name ?? 'nothing';
  }
  describeWait(): string {
    return this.texts.of(this.type);
  }
  /** Who works on it: known only where the peer is on the same thread. */
  holders(): readonly Task[] {
    const server = this.server();
    return server === null ? NOBODY : [server];
  }
}

/** A request that was sent and not finished yet. */
export type CallNumber = Brand<number, 'CallNumber'>;

type Handler = (words: Float64Array, offset: number, call: number) => void;

/**
 * Requests to handlers registered with {@link serve} start a task each; those registered with {@link answer} are answered at once, between
 * two steps of the receiving actor. Messages of one port arrive in the order in which they were sent.
 */
export class Port {
  private readonly handlers: (Handler | undefined)[] = [];
  private readonly pending: PendingCall[] = [];
  private readonly freeCalls: number[] = [];
  /** By number of the peer's call: the task that answered it, or still does. */
  private readonly servers: (Task | undefined)[] = [];
  private readonly backlog: number[][] = [];
  private readonly waitTexts: WaitTexts;
  /** The other end, where one thread has both: then a wait can say who works on its request. */
  peerPort: Port | null = null;
  /** The executor's mark that the peer's doorbell has not been rung since the last send. */
  dirty = false;
  /** The executor's mark that something of that cannot wait until the peer wakes by itself. */
  urgent = false;
  /** Told of each send: rings the peer's doorbell soon, or under `virtual` makes the receiver's pump runnable. */
  onSend: (mustWake: boolean) => void = () => {};
  /**
   * Asked before a deferrable request is waited for: whether the peer sleeps, and so will deliver all that was sent to it before it does anything else.
   * If not, what was sent must wake it from now on. Where one thread has both ends nobody sleeps.
   */
  peerSleeps: () => boolean = () => false;
  /** Told when the ring is full and a message is held back: {@link drain} must be called until it has gone. */
  onHeldBack: () => void = () => {};

  constructor(
    private readonly sched: Scheduler,
    readonly owner: ActorId,
    readonly peer: ActorId,
    private readonly peerName: string,
    private readonly outgoing: Ring,
    private readonly incoming: Ring,
  ) {
    this.waitTexts = new WaitTexts(peerName);
    // Call number 0 marks a notice.
    this.addPendingCall();
  }

  /** Sends a request and waits for the reply. */
  *call<A extends Fields, R extends Fields>(type: MessageType<A, R>, args: Values<A>): Steps<Values<R>> {
    const call = this.start(type, args);
    // The wait for the reply is where others go on.
    if (this.mustWait(call)) yield PARK;
    return this.take(type, call);
  }

  /** Sends a request; {@link finish} must follow. Lets one task have requests open with several actors at once. */
  start<A extends Fields, R extends Fields>(type: MessageType<A, R>, args: Values<A>): CallNumber {
    const number = this.freeCalls.pop() ?? this.addPendingCall();
    const call = this.pending[number];
    call.done = false;
    call.isOpen = true;
    call.task = null;
    call.type = type;
    this.send(type.id, number, type.argCodec, args, !type.isDeferrable);
    this.sched.at(PortStep.send, this.peer, type.id, number);
    return number as CallNumber;
  }

  /** Waits for the reply to a request. */
  *finish<A extends Fields, R extends Fields>(type: MessageType<A, R>, number: CallNumber): Steps<Values<R>> {
    if (this.mustWait(number)) yield PARK;
    return this.take(type, number);
  }

  /** {@link finish} without a generator, for hot paths: `if (port.mustWait(call)) yield PARK;`, and then {@link take}. */
  mustWait(number: CallNumber): boolean {
    const call = this.pending[number];
    if (call.type?.isDeferrable && !call.done) call.done = this.isAsGoodAsDone();
    if (call.done) return false;
    call.task = this.sched.self;
    this.sched.block(call);
    return true;
  }

  /** The reply that has come. */
  take<A extends Fields, R extends Fields>(type: MessageType<A, R>, number: CallNumber): Values<R> {
    const call = this.pending[number];
    if (call.type !== type || !call.done) this.refuseTake(type.name, call);
    const reply = decode(type.replyCodec, call.words, 0) as Values<R>;
    call.type = null;
    if (!call.isOpen) this.freeCalls.push(number);
    return reply;
  }

  private refuseTake(name: string, { what, done }: PendingCall): never {
    throw new AssertionFailure(`${what} is finished as ${name}${done ? '' : ', and not answered yet'}`);
  }

  /** Sends without waiting. */
  post<A extends Fields>(type: MessageType<A, Record<never, never>>, args: Values<A>): void {
    this.send(type.id, NOTICE, type.argCodec, args, !type.isDeferrable);
    this.sched.at(PortStep.send, this.peer, type.id, NOTICE);
  }

  /** Registers a handler that may sleep: each request becomes a task of this actor. */
  serve<A extends Fields, R extends Fields>(
    type: MessageType<A, R>,
    handler: (args: Values<A>) => Steps<Values<R>>,
  ): void {
    const takesEffectLate = type.isDeferrable && !this.sched.modelsTime;
    assert(!takesEffectLate, () => `${type.name} can be deferred, and must take effect as it is delivered`);
    this.register(type, (words, offset, call) => {
      const args = decode(type.argCodec, words, offset) as Values<A>;
      const body = this.serveOne(type, handler(args), call);
      this.servers[call] = this.sched.spawn(this.owner, type.name, body);
    });
  }

  /** Registers a handler that never sleeps. */
  answer<A extends Fields, R extends Fields>(
    type: MessageType<A, R>,
    handler: (args: Values<A>) => Values<R>,
  ): void {
    this.register(type, (words, offset, call) => {
      const reply = handler(decode(type.argCodec, words, offset) as Values<A>);
      if (call !== NOTICE) this.reply(type, call, reply);
    });
  }

  /** Delivers up to `limit` messages, and sends what the ring had no room for; returns how many there were of both. Never runs a task. */
  drain(limit: number): number {
    const sent = this.backlog.length > 0 ? this.flushBacklog() : 0;
    let delivered = 0;
    while (delivered < limit) {
      const offset = this.incoming.peek();
      if (offset < 0) break;
      this.deliver(this.incoming.slots, offset);
      this.incoming.release();
      delivered++;
    }
    return sent + delivered;
  }

  get hasIncoming(): boolean {
    return this.incoming.peek() >= 0;
  }

  get hasBacklog(): boolean {
    return this.backlog.length > 0;
  }

  /** Requests sent and not yet answered, for reports of what an actor waits for. */
  get outstandingCalls(): number {
    return this.pending.length - 1 - this.freeCalls.length;
  }

  /**
   * What a sleeping peer will do before all else is done as far as anybody can tell, and waking it would cost more than all the rest of the request.
   * One that is awake answers soon. As in the kernel, where a CPU in lazy TLB mode is sent no interrupt, and looks for what it missed before it uses the
   * address space again.
   */
  private isAsGoodAsDone(): boolean {
    return this.backlog.length === 0 && this.peerSleeps();
  }

  private *serveOne<A extends Fields, R extends Fields>(
    type: MessageType<A, R>,
    body: Steps<Values<R>>,
    call: number,
  ): Steps<void> {
    const reply = yield* body;
    yield* this.sched.settle();
    if (call !== NOTICE) this.reply(type, call, reply);
  }

  private reply<A extends Fields, R extends Fields>(
    type: MessageType<A, R>,
    call: number,
    values: Values<R>,
  ): void {
    this.send(REPLY, call, type.replyCodec, values, true);
    this.sched.at(PortStep.reply, this.peer, type.id, call);
  }

  private register<A extends Fields, R extends Fields>(type: MessageType<A, R>, handler: Handler): void {
    assert(this.handlers[type.id] === undefined, () => `${type.name} has two handlers`);
    this.handlers[type.id] = handler;
  }

  private addPendingCall(): number {
    const number = this.pending.length;
    this.pending.push(new PendingCall(this.waitTexts, () => this.peerPort?.serverOf(number) ?? null));
    return number;
  }

  /** Null before the request arrives, and when it has been answered. */
  private serverOf(call: number): Task | null {
    const server = this.servers[call];
    return server === undefined || server.state === 'done' ? null : server;
  }

  private send(
    type: number,
    call: number,
    codec: FieldCodec,
    values: Readonly<Record<string, number>>,
    mustWake: boolean,
  ): void {
    const offset = this.backlog.length > 0 ? -1 : this.outgoing.reserve();
    if (offset >= 0) {
      encode(this.outgoing.slots, offset, type, call, codec, values);
      this.outgoing.commit();
      this.onSend(mustWake);
    } else {
      const words = new Array<number>(RING_SLOT_WORDS).fill(0);
      encode(words, 0, type, call, codec, values);
      this.backlog.push(words);
      this.onHeldBack();
      assert(this.backlog.length < BACKLOG_MAX, () => `${this.peerName} no longer takes messages`);
      this.onSend(true);
    }
  }

  private flushBacklog(): number {
    let sent = 0;
    for (; sent < this.backlog.length; sent++) {
      const offset = this.outgoing.reserve();
      if (offset < 0) break;
      for (let i = 0; i < RING_SLOT_WORDS; i++) this.outgoing.slots[offset + i] = this.backlog[sent][i];
      this.outgoing.commit();
    }
    if (sent === 0) return 0;
    this.backlog.splice(0, sent);
    this.onSend(true);
    return sent;
  }

  private deliver(words: Float64Array, offset: number): void {
    const type = words[offset];
    const call = words[offset + 1];
    this.sched.at(PortStep.deliver, this.peer, type, call);
    if (type === REPLY) this.deliverReply(words, offset, call);
    else this.handlerOf(type)(words, offset, call);
  }

  private deliverReply(words: Float64Array, offset: number, number: number): void {
    const call = this.pending[number];
    assert(call?.isOpen === true, () => `${this.peerName} replied to call ${number}, which is not open`);
    call.isOpen = false;
    // It was not waited for.
    if (call.type === null) this.freeCalls.push(number);
    if (call.done) return;
    for (let i = 0; i < RING_SLOT_WORDS; i++) call.words[i] = words[offset + i];
    call.done = true;
    if (call.task !== null) this.sched.wake(call.task);
  }

  private handlerOf(type: number): Handler {
    const handler = this.handlers[type];
    assert(handler !== undefined, () => `${messageName(type)} from ${this.peerName} has no handler`);
    return handler;
  }
}

function encode(
  words: Words,
  offset: number,
  type: number,
  call: number,
  codec: FieldCodec,
  values: Readonly<Record<string, number>>,
): void {
  words[offset] = type;
  words[offset + 1] = call;
  codec.write(words, offset + 2, values);
}

function decode(codec: FieldCodec, words: Float64Array, offset: number): Record<string, number> {
  return codec.read(words, offset + 2);
}
