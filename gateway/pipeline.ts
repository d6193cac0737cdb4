// The spine: ingest → spool → rules → settle. The order of events, and nothing else.
import type { Clock } from '../lib/clock.ts'
import type { Ingest } from './broker/broker.ts'
import { codeOf, GatewayError, textOf } from './errors.ts'
import type { Message } from './message.ts'
import type { Fields } from './observe/events.ts'
import type { Observe } from './observe/observe.ts'
import type { Dispatch } from './rules/dispatch.ts'
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
}

export interface Pipeline {
  /** The only way in. Resolves when the message may be acknowledged. */
  readonly ingest: Ingest
  /** Offered, and neither accepted nor refused yet. */
  readonly pending: number
  start(): void
  /** Refuses what comes from now on, waits until the spool is empty or the time is over, then lets go of the rest. */
  stop(drainTimeoutMs: number): Promise<void>
}

export function createPipeline({ spool, dispatch, ruleSet, observe, clock, maxInFlight }: PipelineOptions): Pipeline {
  const stopping = new AbortController()
  const slots = createSlots(maxInFlight)
  let pending = 0
  let closed = false
  let draining: Promise<void> | undefined

  const settle = (entry: Entry, outcome: Outcome) => {
    if (entry.settle(outcome)) observe.record('message.settled', { outcome })
    slots.release()
  }

  /** Most outcomes are known later; what no rule wants is settled on the spot. */
  const pass = (entry: Entry) => {
    const outcome = entry.expired ? tooOld(entry.message) : dispatch(entry.message, ruleSet(), stopping.signal)
    if (typeof outcome === 'string') return settle(entry, outcome)
    outcome.then(
      (known) => settle(entry, known),
      (error) => {
        slots.release()
        // Only a stop gets here: the entry stays unsettled, and the spool still owns it.
        if (!stopping.signal.aborted) throw error
      },
    )
  }

  const tooOld = ({ id, topic }: Message): Outcome => {
    observe.record('message.dead', { code: 'MESSAGE_EXPIRED', messageId: id, topic })
    return 'dead'
  }

  const drain = async () => {
    for await (const entry of spool.read(stopping.signal)) {
      while (!slots.take()) await slots.freed()
      pass(entry)
    }
  }

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
      return pending
    },
    start() {
      draining ??= drain()
    },
    async stop(drainTimeoutMs) {
      closed = true
      if (draining) {
        const deadline = clock.monotonic() + drainTimeoutMs
        while (spool.depth.messages > 0 && clock.monotonic() < deadline) await clock.sleep(20)
      }
      stopping.abort(new Error('the pipeline has stopped'))
      await draining
      await slots.idle()
    },
  }
}

function refusal({ topic, source: { clientId, transport, tenant } }: Message, error: unknown): Fields {
  const fields = { code: codeOf(error, 'SPOOL_FAILED'), clientId, transport, topic, detail: textOf(error) }
  return tenant === undefined ? fields : { ...fields, tenant }
}

/** A counting semaphore for one taker. */
function createSlots(size: number) {
  let taken = 0
  let waiting: PromiseWithResolvers<void> | undefined
  const freed = () => {
    waiting ??= Promise.withResolvers()
    return waiting.promise
  }
  return {
    /** false: none was free. */
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
    /** Resolves at the next release. */
    freed,
    async idle() {
      while (taken > 0) await freed()
    },
  }
}
