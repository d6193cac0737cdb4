// Question 5: many readings in one message.
import { estimatePath } from '../estimate.ts'
import { formatInterval } from '../format.ts'
import { formatUsd } from '../money.ts'
import { type PathName, wireOf } from '../paths.ts'
import { incrementBytes, loadPriceBook, type PriceBook } from '../price-book.ts'
import type { Workload } from '../workload.ts'
import { describeWorkload, type Question } from './answer.ts'

const names = ['iot-mqtt', 'iot-mqtt-basic-ingest', 'iot-https', 'api-http-sqs'] as const satisfies readonly PathName[]

/** Readings that fill one billed message: the best N, since the next one buys a whole step. */
export function bestPacking({ payloadBytes, topicBytes }: Workload, book: PriceBook): number {
  return Math.max(1, Math.floor((incrementBytes(book, 'iotCore.messages') - topicBytes) / payloadBytes))
}

export const packing: Question = {
  title: 'What does packing N readings into one message save, what is the best N, and which cost is the floor?',
  answer(workload, wires = wireOf) {
    const book = loadPriceBook(workload.region)
    const best = bestPacking(workload, book)
    const cost = (name: PathName, readingsPerMessage: number) =>
      estimatePath(name, { ...workload, readingsPerMessage, dataOut: false }, book, 'none', wires).totalNanoDollars
    const floor = estimatePath('iot-mqtt', { ...workload, readingsPerMessage: 1, dataOut: false }, book).lineItems[0]!.nanoDollars
    const tried = [...new Set([1, 2, 5, best, best + 1, 2 * best])].sort((a, b) => a - b)
    const rows = tried.map((n) => [
      `${n}${n === best ? ' (best)' : ''}`,
      formatInterval(workload.intervalMs * n),
      ...names.map((name) => formatUsd(cost(name, n))),
    ])
    const saved = Number(((cost('iot-mqtt', 1) - cost('iot-mqtt', best)) * 1_000n) / cost('iot-mqtt', 1)) / 10
    return {
      formula: 'best N = ⌊(5,120 − topic) / reading⌋; messages = readings / N × ⌈(N × reading + topic) / 5,120⌉',
      inputs: `${describeWorkload(workload)}; readings packed without separators; request prices only`,
      labels: 1,
      header: ['readings a message', 'one message every', ...names],
      rows,
      result: `N = ${best} saves ${saved} % on ${names[0]}: ${formatUsd(cost('iot-mqtt', 1))} becomes ${formatUsd(cost('iot-mqtt', best))}. One reading more makes every message two, and ${formatUsd(cost('iot-mqtt', best + 1))}. The floor is the connection at ${formatUsd(floor)}, which no packing lowers; a reading is up to ${formatInterval(workload.intervalMs * best)} old when it leaves.`,
      confidence: 'inferred',
      caveat: '5 KB is taken as 5,120 bytes, which AWS does not print.',
    }
  },
}
