// The spine: ingest → spool → rules → settle. The order of events, and nothing else.
import type { Clock } from '../../lib/clock.ts'
import type { Ingest } from '../broker/broker.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import { type Message, transports } from '../message/message.ts'
import type { Fields } from '../observe/events.ts'
import type { Observe } from '../observe/observe.ts'
import type { RuleSet } from '../rules/rule-set.ts'
import type { Entry, Spool } from '../spool/spool.ts'
import type { Dispatch, Fate, Part } from './dispatch.ts'
import type { Lanes } from './parking.ts'

export interface PipelineOptions {
  readonly spool: Spool
  readonly dispatch: Dispatch
  /** Asked once per message, so that a reload takes effect with the next one. */
  readonly ruleSet: () => RuleSet
  readonly observe: Observe
  readonly clock: Clock
  /** Messages that may be with the rules and their targets at one time. */
  readonly maxInFlight: number
  readonly overflow?: Lanes
}

/** A target that is away may hold this share of the messages in flight; from then on its messages make way for others. */
export const laneShare = 1 / 8

/** The same in messages. */
export const mostHeld = (maxInFlight: number) => Math.ceil(maxInFlight * laneShare)

export interface Pipeline {
  /** The only way in. Resolves when the message may be acknowledged. */
  readonly ingest: Ingest
  /** Offered, and neither accepted nor refused yet; or on the way from the spool into the overflow. */
  pending(): number
  /** Accepted, and not settled. */
  queued(): number
  start(): Promise<void>
  /** Refuses what comes from now on, waits until the spool is empty or the time is over, then lets go of the rest. */
  stop(drainTimeoutMs: number): Promise<void>
}

export function createPipeline({ spool, dispatch, ruleSet, observe, clock, maxInFlight, overflow }: PipelineOptions): Pipeline {
  const stopping = new AbortController()
  /** Per spool that is read. */
  const drains: { readonly slots: Slots; readonly done: Promise<void> }[] = []
  const maxHeld = mostHeld(maxInFlight)
  const settledIn = Promise.withResolvers<void>()
  /** The messages appended last, as far as the spool gave them one promise. */
  let group: { readonly appended: Promise<void>; readonly messages: Message[]; readonly booked: Promise<void> } | undefined
  let pending = 0
  let closed = false
  let started: Promise<void> | undefined

  const leave = (messages: readonly Message[]) => {
    if (group?.messages === messages) group = undefined
    pending -= messages.length
  }

  const accepted = (messages: readonly Message[]) => {
    leave(messages)
    for (let i = 0; i < messages.length; ) {
      const { transport } = messages[i]!.source
      let count = 1
      while (messages[++i]?.source.transport === transport) count++
      observe.record('message.accepted', count === 1 ? acceptedOver[transport] : { transport, count })
    }
  }

  const refused = (messages: readonly Message[], error: unknown) => {
    leave(messages)
    for (const message of messages) observe.record(message.qos === 0 ? 'message.shed' : 'message.refused', refusal(message, error))
  }

  const pass = (entry: Entry, slots: Slots, only?: Part) => {
    const settle = (fate: Fate) => {
      // What is left by a stop stays unsettled, and the spool still owns it.
      if (fate !== 'left' && entry.settle(fate)) observe.record('message.settled', settledAs[fate])
      slots.release()
    }
    if (entry.expired) settle(tooOld(entry.message))
    else dispatch(entry.message, ruleSet(), stopping.signal, settle, only)
  }

  const tooOld = ({ id, topic }: Message): Fate => {
    observe.record('message.dead', { code: 'MESSAGE_EXPIRED', messageId: id, topic })
    return 'dead'
  }

  /** Passes on what the spool has, oldest first, until the stop; `wait` for as long as there is no room for another. */
  const drain = async (from: Spool, wait: () => Promise<void> | undefined, passOn: (entry: Entry) => void) => {
    const { signal } = stopping
    while (await from.ready(signal)) {
      for (let entry = from.take(); entry; entry = signal.aborted ? undefined : from.take()) {
        for (let freed = wait(); freed; freed = wait()) {
          await freed
          if (signal.aborted) return // it stays the spool's, as all that is left
        }
        passOn(entry)
      }
    }
  }

  /** What the last run left in the spool and is older than a lane is dispatched before that lane is read. */
  const drainMain = async (slots: Slots) => {
    let left = spool.depth().messages
    const settleIn = () => {
      overflow?.settledIn()
      settledIn.resolve()
    }
    if (left === 0) settleIn()
    await drain(
      spool,
      () => (slots.take() ? undefined : slots.freed()),
      (entry) => {
        pass(entry, slots)
        if (--left === 0) settleIn()
      },
    )
    settledIn.resolve()
  }

  const drainLane = async (lane: Spool, slots: Slots, part: Part, handed: () => void, laneSettledIn: Promise<void>) => {
    await Promise.race([laneSettledIn, settledIn.promise])
    const isAway = () => ruleSet().named(part.rule)?.sinks[part.action]?.isAway?.() === true
    await drain(
      lane,
      () => ((slots.taken() >= maxHeld && isAway()) || !slots.take() ? slots.freed() : undefined),
      (entry) => {
        pass(entry, slots, part)
        handed()
      },
    )
  }

  const start = async () => {
    await overflow?.start((lane, part, handed, laneSettledIn) => {
      const slots = createSlots(maxInFlight)
      drains.push({ slots, done: drainLane(lane, slots, part, handed, laneSettledIn) })
    })
    const slots = createSlots(maxInFlight)
    drains.push({ slots, done: drainMain(slots) })
  }

  const queued = () => spool.depth().messages + (overflow?.messages ?? 0)

  return {
    ingest(message) {
      pending++
      const appended = closed ? Promise.reject(new GatewayError('STOPPING', 'the gateway is shutting down')) : spool.append(message)
      if (group?.appended === appended) {
        group.messages.push(message)
        return group.booked
      }
      const messages = [message]
      const booked = appended.then(
        () => accepted(messages),
        (error) => {
          refused(messages, error)
          throw error
        },
      )
      group = { appended, messages, booked }
      return booked
    },
    pending: () => pending + (overflow?.parking ?? 0),
    queued,
    start() {
      started ??= start()
      return started
    },
    async stop(drainTimeoutMs) {
      closed = true
      if (started) {
        const deadline = clock.monotonic() + drainTimeoutMs
        while (queued() > 0 && clock.monotonic() < deadline) await clock.sleep(20)
      }
      stopping.abort(new Error('the pipeline has stopped'))
      await started
      for (const { done } of drains) await done
      for (const { slots } of drains) await slots.idle()
    },
  }
}

/** The fields of what is told of every message: made once. */
const settledAs = fieldsOf('outcome', ['delivered', 'unmatched', 'dead', 'moved'])
const acceptedOver = fieldsOf('transport', transports)

function fieldsOf<V extends string>(name: string, values: readonly V[]): Readonly<Record<V, Fields>> {
  return Object.fromEntries(values.map((value) => [value, Object.freeze({ [name]: value })])) as Record<V, Fields>
}

function refusal({ topic, source: { clientId, transport, tenant } }: Message, error: unknown): Fields {
  const fields = { code: codeOf(error, 'SPOOL_FAILED'), clientId, transport, topic, detail: textOf(error) }
  return tenant === undefined ? fields : { ...fields, tenant }
}

interface Slots {
  taken(): number
  /** false: none was free. */
  take(): boolean
  release(): void
  /** Resolves at the next release. */
  freed(): Promise<void>
  idle(): Promise<void>
}

/** A counting semaphore for one taker. */
function createSlots(size: number): Slots {
  let taken = 0
  let waiting: PromiseWithResolvers<void> | undefined
  const freed = () => {
    waiting ??= Promise.withResolvers()
    return waiting.promise
  }
  return {
    taken: () => taken,
    take() {
      if (taken >= size) return false
      taken++
      return true
    },
    release() {
      taken--
      waiting?.resolve()
      waiting = undefined
    },
    freed,
    async idle() {
      while (taken > 0) await freed()
    },
  }
}
