// What it takes to get messages into SQS and out again: sends, receives, deletes and empty polls in 64 KB requests.
import { steps } from './metering.ts'
import type { Usage } from './price.ts'
import { incrementBytes, type PriceBook } from './price-book.ts'
import { hoursPerMonth, type Workload } from './workload.ts'

export type Sends = Workload['sends']

/** Of a message and of a whole batch [AWS sqs-limits]. */
export const sqsMaxBytes = 1_048_576
const longPollSeconds = 20

/** SQS requests for `messages` bodies of `bytes` each a month; none when the workload has no queue. */
export function queueUsage(workload: Workload, book: PriceBook, messages: number, bytes: number, sends: Sends): Usage {
  if (workload.queue === 'none') return {}
  const chunk = incrementBytes(book, 'sqs.standardRequests')
  const packed = sends === 'packed' ? Math.max(1, Math.floor(chunk / bytes)) : 1
  const bodies = messages / packed
  const bodyBytes = bytes * packed
  const batch = Math.max(1, Math.min(workload.messagesPerCall, Math.floor(sqsMaxBytes / bodyBytes)))
  const perSend = sends === 'batched' ? batch : 1
  const sent = (bodies / perSend) * steps(perSend * bodyBytes, chunk)
  const received = (bodies / batch) * steps(batch * bodyBytes, chunk)
  const emptyPolls = (workload.pollers * hoursPerMonth(workload) * 3_600) / longPollSeconds
  const requests = sent + received + bodies / batch + emptyPolls
  if (workload.queue === 'fifo') return { 'sqs.fifoRequests': requests }
  return { 'sqs.standardRequests': requests, 'sqs.fairQueueSurcharge': workload.queue === 'fair' ? sent : 0 }
}
