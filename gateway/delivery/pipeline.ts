// The order of events of a message: ingest → spool → rules → settle.
import type { Clock } from '../../lib/clock.ts'
import type { ActionRef } from '../actions/action.ts'
import type { Ingest } from '../broker/broker.ts'
import type { Message } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import type { RuleSet } from '../rules/rule-set.ts'
import type { Entry, Spool } from '../spool/spool.ts'
import type { Dispatch, Fate } from './dispatch.ts'
import { fieldsOf } from './fields.ts'
import { InFlight } from './in-flight.ts'
import { Intake } from './intake.ts'
import type { ParkedMessages } from './parked-messages.ts'
import type { Parking } from './parking.ts'

export interface PipelineOptions {
  readonly spool: Spool
  readonly dispatch: Dispatch
  /** Read for each message, so that new rules are used from the next message on. */
  readonly ruleSet: () => RuleSet
  readonly observe: Observe
  readonly clock: Clock
  /** Messages that may be with the rules and their targets at the same time. */
  readonly maxInFlight: number
  readonly parking?: Parking | undefined
}

/** The share of the messages in flight that an unavailable target may hold. Later messages for it are parked. */
export const heldShare = 1 / 8

/** `heldShare` in messages. */
export const mostHeld = (maxInFlight: number) => Math.ceil(maxInFlight * heldShare)

export interface Pipeline {
  /** The only way in. Resolves when the message may be acknowledged. */
  readonly ingest: Ingest
  /** Messages that are neither accepted nor refused yet, or are being parked. */
  pending(): number
  /** Messages that are accepted and not settled. */
  queued(): number
  start(): Promise<void>
  /** Refuses new messages, waits until the spools are empty or the timeout is over, and leaves the rest in the spools. */
  stop(drainTimeoutMs: number): Promise<void>
}

export function createPipeline(options: PipelineOptions): Pipeline {
  const { spool, observe, clock, parking } = options
  const intake = new Intake(spool, observe)
  const drains = new Drains(options)
  let started: Promise<void> | undefined
  const queued = () => spool.depth().messages + (parking?.messages ?? 0)
  return {
    ingest: intake.ingest,
    pending: () => intake.pending + (parking?.moving ?? 0),
    queued,
    start() {
      started ??= drains.start()
      return started
    },
    async stop(drainTimeoutMs) {
      intake.close()
      if (started) {
        const deadline = clock.monotonic() + drainTimeoutMs
        while (queued() > 0 && clock.monotonic() < deadline) await clock.sleep(20)
      }
      await drains.stop(started)
    },
  }
}

interface Drain {
  readonly inFlight: InFlight
  readonly done: Promise<void>
}

/** Reads the main spool and each parking spool, and dispatches their messages. */
class Drains {
  readonly #options: PipelineOptions
  readonly #stopping = new AbortController()
  readonly #drains: Drain[] = []

  constructor(options: PipelineOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { ruleSet, parking } = this.#options
    await parking?.start(ruleSet(), (parked) => this.#begin((inFlight) => this.#drainParked(parked, inFlight)))
    this.#begin((inFlight) => this.#drainMain(inFlight))
  }

  async stop(started: Promise<void> | undefined): Promise<void> {
    this.#stopping.abort(new Error('the pipeline has stopped'))
    await started
    for (const { done } of this.#drains) await done
    for (const { inFlight } of this.#drains) await inFlight.idle()
  }

  #begin(drain: (inFlight: InFlight) => Promise<void>): void {
    const inFlight = new InFlight(this.#options.maxInFlight)
    this.#drains.push({ inFlight, done: drain(inFlight) })
  }

  /** Messages that the spool held at the start are dispatched before newer messages that are parked. */
  async #drainMain(inFlight: InFlight): Promise<void> {
    const { spool, parking } = this.#options
    let left = spool.depth().messages
    if (left === 0) parking?.caughtUp()
    await this.#drain(
      spool,
      () => (inFlight.enter() ? undefined : inFlight.released()),
      (entry) => {
        this.#pass(entry, inFlight)
        if (--left === 0) parking?.caughtUp()
      },
    )
    parking?.caughtUp()
  }

  async #drainParked(parked: ParkedMessages, inFlight: InFlight): Promise<void> {
    await parked.ready()
    const maxHeld = mostHeld(this.#options.maxInFlight)
    const isHeld = () => inFlight.count >= maxHeld && parked.isUnavailable()
    await this.#drain(
      parked.spool,
      () => (isHeld() || !inFlight.enter() ? inFlight.released() : undefined),
      (entry) => {
        this.#pass(entry, inFlight, parked.ref)
        parked.handed()
      },
    )
  }

  /** Passes on the entries of a spool, oldest first, until the stop. `wait` returns a promise while there is no room for another. */
  async #drain(from: Spool, wait: () => Promise<void> | undefined, passOn: (entry: Entry) => void): Promise<void> {
    const { signal } = this.#stopping
    while (await from.ready(signal)) {
      for (let entry = from.take(); entry; entry = signal.aborted ? undefined : from.take()) {
        for (let freed = wait(); freed; freed = wait()) {
          await freed
          if (signal.aborted) return // the entry stays unsettled
        }
        passOn(entry)
      }
    }
  }

  #pass(entry: Entry, inFlight: InFlight, ref?: ActionRef): void {
    const { dispatch, ruleSet, observe } = this.#options
    const finish = (fate: Fate) => {
      // `left`: the pipeline stopped first. The entry stays unsettled, and is read again after a restart.
      if (fate !== 'left' && entry.settle(fate)) observe.record('message.settled', settledAs[fate])
      inFlight.leave()
    }
    if (entry.expired) finish(this.#tooOld(entry.message))
    else dispatch(entry.message, ruleSet(), this.#stopping.signal, finish, ref)
  }

  #tooOld({ id, topic }: Message): Fate {
    this.#options.observe.record('message.dead', { code: 'MESSAGE_EXPIRED', messageId: id, topic })
    return 'dead'
  }
}

const settledAs = fieldsOf('outcome', ['delivered', 'unmatched', 'dead', 'moved'])
