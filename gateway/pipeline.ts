// The spine: ingest → spool → rules → settle. The order of events, and nothing else.
import type { Clock } from '../lib/clock.ts'
import type { Ingest } from './broker/broker.ts'
import { codeOf, GatewayError, textOf } from './errors.ts'
import type { Message } from './message.ts'
import type { Fields } from './observe/events.ts'
import type { Observe } from './observe/observe.ts'
import type { Lanes } from './overflow.ts'
import type { Dispatch, Part } from './rules/dispatch.ts'
import type { RuleSet } from './rules/rule-set.ts'
import type { Entry, Outcome, Spool } from './spool/spool.ts'

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

export interface Pipeline {
  /** The only way in. Resolves when the message may be acknowledged. */
  readonly ingest: Ingest
  /** Offered, and neither accepted nor refused yet; or on the way from the spool into the overflow. */
  readonly pending: number
  /** Accepted, and not settled. */
  readonly queued: number
  start(): Promise<void>
  /** Refuses what comes from now on, waits until the spool is empty or the time is over, then lets go of the rest. */
  stop(drainTimeoutMs: number): Promise<void>
}

export function createPipeline({ spool, dispatch, ruleSet, observe, clock, maxInFlight, overflow }: PipelineOptions): Pipeline {
  const stopping = new AbortController()
  /** Per spool that is read. */
  const drains: { readonly slots: Slots; readonly done: Promise<void> }[] = []
  const mostHeld = Math.ceil(maxInFlight * laneShare)
  const settledIn = Promise.withResolvers<void>()
  let pending = 0
  let closed = false
  let started: Promise<void> | undefined

  /** Most outcomes are known later; what no rule wants is settled on the spot. */
  const pass = (entry: Entry, slots: Slots, only?: Part) => {
    const settle = (outcome: Outcome) => {
      if (entry.settle(outcome)) observe.record('message.settled', { outcome })
      slots.release()
    }
    const outcome = entry.expired ? tooOld(entry.message) : dispatch(entry.message, ruleSet(), stopping.signal, only)
    if (typeof outcome === 'string') return settle(outcome)
    outcome.then(settle, (error) => {
      slots.release()
      // Only a stop gets here: the entry stays unsettled, and the spool still owns it.
      if (!stopping.signal.aborted) throw error
    })
  }

  const tooOld = ({ id, topic }: Message): Outcome => {
    observe.record('message.dead', { code: 'MESSAGE_EXPIRED', messageId: id, topic })
    return 'dead'
  }

  /** What the last run left in the spool is dispatched before a lane is read: among it may be what is older than the lane. */
  const drainMain = async (slots: Slots) => {
    let left = spool.depth.messages
    const settleIn = () => {
      overflow?.settledIn()
      settledIn.resolve()
    }
    if (left === 0) settleIn()
    for await (const entry of spool.read(stopping.signal)) {
      while (!slots.take()) await slots.freed()
      pass(entry, slots)
      if (--left === 0) settleIn()
    }
    settledIn.resolve()
  }

  const drainLane = async (lane: Spool, slots: Slots, part: Part, handed: () => void) => {
    await settledIn.promise
    const isAway = () => ruleSet().named(part.rule)?.sinks[part.action]?.isAway?.() === true
    for await (const entry of lane.read(stopping.signal)) {
      while ((slots.taken >= mostHeld && isAway()) || !slots.take()) await slots.freed()
      pass(entry, slots, part)
      handed()
    }
  }

  const start = async () => {
    await overflow?.start((lane, part, handed) => {
      const slots = createSlots(maxInFlight)
      drains.push({ slots, done: drainLane(lane, slots, part, handed) })
    })
    const slots = createSlots(maxInFlight)
    drains.push({ slots, done: drainMain(slots) })
  }

  const queued = () => spool.depth.messages + (overflow?.messages ?? 0)

  return {
    ingest(message) {
      pending++
      const appended = closed ? Promise.reject(new GatewayError('STOPPING', 'the gateway is shutting down')) : spool.append(message)
      return appended.then(
        () => {
          pending--
          observe.record('message.accepted', { transport: message.source.transport })
        },
        (error) => {
          pending--
          observe.record(message.qos === 0 ? 'message.shed' : 'message.refused', refusal(message, error))
          throw error
        },
      )
    },
    get pending() {
      return pending + (overflow?.parking ?? 0)
    },
    get queued() {
      return queued()
    },
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

function refusal({ topic, source: { clientId, transport, tenant } }: Message, error: unknown): Fields {
  const fields = { code: codeOf(error, 'SPOOL_FAILED'), clientId, transport, topic, detail: textOf(error) }
  return tenant === undefined ? fields : { ...fields, tenant }
}

interface Slots {
  readonly taken: number
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
    get taken() {
      return taken
    },
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
