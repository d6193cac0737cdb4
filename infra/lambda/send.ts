// The Lambda function that gives a message its group: what AWS's own SQS action cannot.
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { toEntry, toFifoEntry } from '../../gateway/actions/sqs-entry.ts'
import type { Aws } from '../../gateway/aws/clients.ts'
import { awsOf } from './arn.ts'

export interface SenderOptions {
  /** Name of the queue. */
  readonly queue: string
  /** A text that is the same for all, or the field of the event that holds the group. */
  readonly group: { readonly text: string } | { readonly field: string }
}

interface Context {
  readonly invokedFunctionArn: string
  /** The same when Lambda tries an event again, which makes it the key of the message. */
  readonly awsRequestId: string
}

type Event = Readonly<Record<string, unknown>>

/** What Lambda calls, with the result of a rule's SELECT. Rejects, and is tried again, where SQS does not take the message. */
export function createSender({ queue, group }: SenderOptions): (event: Event, context: Context) => Promise<void> {
  const groupOf = 'text' in group ? () => group.text : (event: Event) => textOf(event[group.field], group.field)
  let aws: Aws | undefined
  return async (event, { invokedFunctionArn, awsRequestId }) => {
    aws ??= awsOf(invokedFunctionArn)
    const body = JSON.stringify(event)
    const { MessageBody, MessageAttributes, MessageGroupId, MessageDeduplicationId } = queue.endsWith('.fifo')
      ? toFifoEntry(body, awsRequestId, groupOf(event))
      : toEntry(body, awsRequestId, groupOf(event))
    const message = { MessageBody, MessageAttributes, MessageGroupId, MessageDeduplicationId }
    await aws.sqs.send(new SendMessageCommand({ QueueUrl: aws.queueUrl(queue), ...message }))
  }
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TypeError(`the field ${field} should hold the message group, and holds ${value === undefined ? 'nothing' : typeof value}`)
}
