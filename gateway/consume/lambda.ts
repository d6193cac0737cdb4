// The same handler behind an SQS event source in AWS Lambda, with partial batch responses.
import type { Clock } from '../../lib/clock.ts'
import { deadReason, isPermanentFailure } from './failure.ts'
import { type Part, partsOf } from './parts.ts'
import type { Handler, Item } from './queue.ts'
import { textAttributes, toItem } from './sqs-item.ts'

/** One record of an SQS event [AWS lambda with-sqs]. */
export interface SqsRecord {
  readonly messageId: string
  readonly body: string
  readonly attributes: Readonly<Record<string, string>>
  readonly messageAttributes: Readonly<Record<string, { readonly stringValue?: string }>>
  readonly eventSourceARN: string
}

export interface SqsEvent {
  readonly Records: readonly SqsRecord[]
}

/** Needs `ReportBatchItemFailures` on the event source, else Lambda ignores it. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[]
}

export interface LambdaOptions {
  readonly handler: Handler
  readonly clock: Pick<Clock, 'deadline'>
  /** Sends a copy to the dead-letter queue; what it took counts as done. Absent: SQS moves it after its last receive. */
  readonly bury?: (item: Item, reason: string) => Promise<void>
  /** Sends a reading of a pack that failed as a message of its own. Absent: the whole pack comes again, and what was done is done twice. */
  readonly resend?: (item: Item) => Promise<void>
  /** How long before the end of the function's time its handlers are aborted. */
  readonly marginMs?: number
}

/**
 * Never throws: the poller takes an exception for distress and slows every tenant down.
 * FIFO: groups in parallel, serial inside; after a failure the rest of its group is reported too, untouched.
 * The handler is called for each reading of a pack, one after another, as the consumer does.
 */
export function createLambdaHandler({ handler, clock, bury, resend, marginMs = 1_000 }: LambdaOptions) {
  const handle = async (item: Item, signal: AbortSignal) => {
    await Promise.race([handler(item, signal), aborted(signal)])
  }

  /** true: somebody else has it now. */
  const passOn = async (item: Item, error: unknown, onward?: (item: Item) => Promise<void>): Promise<boolean> => {
    const burial = bury && isPermanentFailure(error) && (() => bury(item, deadReason('HANDLER_REFUSED', error.reason)))
    const pass = burial || (onward && (() => onward(item)))
    if (!pass) return false
    return pass().then(
      () => true,
      () => false,
    )
  }

  const settleParts = async (item: Item, parts: readonly Part[], signal: AbortSignal): Promise<boolean> => {
    let settled = true
    for (const part of parts) {
      if (signal.aborted) return false
      const reading = { ...item, ...part }
      await handle(reading, signal).catch(async (error: unknown) => {
        settled = !signal.aborted && (await passOn(reading, error, resend)) && settled
      })
    }
    return settled
  }

  const settle = async (item: Item, signal: AbortSignal): Promise<boolean> => {
    try {
      const parts = partsOf(item)
      if (parts) return await settleParts(item, parts, signal)
      await handle(item, signal)
      return true
    } catch (error) {
      return passOn(item, error)
    }
  }

  const settleGroup = async (items: readonly Item[], signal: AbortSignal): Promise<readonly Item[]> => {
    for (const [index, item] of items.entries()) if (signal.aborted || !(await settle(item, signal))) return items.slice(index)
    return []
  }

  return async ({ Records }: SqsEvent, context: { getRemainingTimeInMillis(): number }): Promise<SqsBatchResponse> => {
    const signal = clock.deadline(Math.max(0, context.getRemainingTimeInMillis() - marginMs))
    const items = Records.map(itemOf)
    const fifo = Records.some(({ eventSourceARN }) => eventSourceARN.endsWith('.fifo'))
    const groups = fifo ? [...Map.groupBy(items, ({ group }) => group).values()] : items.map((item) => [item])
    const failed = await Promise.all(groups.map((group) => settleGroup(group, signal)))
    return { batchItemFailures: failed.flat().map(({ id }) => ({ itemIdentifier: id })) }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

function itemOf({ messageId: id, body, attributes: system, messageAttributes, eventSourceARN }: SqsRecord): Item {
  const attributes = textAttributes(messageAttributes, ({ stringValue }) => stringValue)
  return toItem({ id, body, system, attributes }, eventSourceARN.endsWith('.fifo'))
}
