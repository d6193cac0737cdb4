// Question 7: what comes behind the door.
import { formatUsd } from '../money.ts'
import { paths, pathUsage } from '../paths.ts'
import { priceUsage, type Usage } from '../price.ts'
import { loadPriceBook } from '../price-book.ts'
import { queueUsage } from '../queues.ts'
import { parseWorkload } from '../workload.ts'
import { describeWorkload, type Question } from './answer.ts'

const million = 1_000_000

export const queueCosts: Question = {
  title: 'What do SQS batching, the rule-to-queue path without batching, and Lambda for each message add?',
  answer(workload) {
    const book = loadPriceBook(workload.region)
    const alone = parseWorkload({ ...workload, pollers: 0, dataOut: false })
    const queue = (fields: object, sends: 'single' | 'batched' | 'packed') =>
      queueUsage(parseWorkload({ ...alone, ...fields }), book, million, workload.payloadBytes, sends)
    const lambda = only(pathUsage(paths['alb-lambda'], perMillionOf(alone), book), 'lambda.')
    const rule = { 'iotCore.rulesTriggered': million, 'iotCore.actionsExecuted': million }
    const lines: readonly (readonly [string, Usage])[] = [
      ['rule + action, before any queue', rule],
      ['SQS standard, single sends (rule or API integration)', queue({ queue: 'standard' }, 'single')],
      ['SQS standard, batches of ten', queue({ queue: 'standard' }, 'batched')],
      ['SQS standard, packed to 64 KB', queue({ queue: 'standard' }, 'packed')],
      ['SQS FIFO, batches of ten', queue({ queue: 'fifo' }, 'batched')],
      ['SQS fair (group id on standard), batches of ten', queue({ queue: 'fair' }, 'batched')],
      [`Lambda, ${alone.lambdaMemoryMB} MB for ${alone.lambdaDurationMs} ms, arm64`, lambda],
    ]
    const cost = (usage: Usage) => priceUsage(usage, book).totalNanoDollars
    const [, single, batched] = lines.map(([, usage]) => cost(usage)) as [bigint, bigint, bigint]
    return {
      formula: 'SQS = sends + receives + deletes, each ⌈bytes / 65,536⌉ requests; receives and deletes take ten messages a call',
      inputs: `${describeWorkload(alone)}; a million messages; no empty polls`,
      labels: 1,
      header: ['for a million messages', 'USD'],
      rows: lines.map(([title, usage]) => [title, formatUsd(cost(usage))]),
      result: `A rule sends one message a call: ${formatUsd(single)} a million through the queue, against ${formatUsd(batched)} in batches of ten, on top of ${formatUsd(cost(rule))} for rule and action. Lambda for each message is ${formatUsd(cost(lambda))}.`,
      confidence: 'verified',
    }
  },
}

/** The same workload with as many devices as send a million messages in its month, at one reading a message. */
function perMillionOf(workload: ReturnType<typeof parseWorkload>): ReturnType<typeof parseWorkload> {
  return { ...workload, devices: 1, readingsPerMessage: 1, intervalMs: (workload.days * 86_400_000) / million }
}

function only(usage: Usage, prefix: string): Usage {
  return Object.fromEntries(Object.entries(usage).filter(([item]) => item.startsWith(prefix)))
}
