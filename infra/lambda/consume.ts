// The Lambda function behind a queue: the same handler as in the gateway, with the same dead letters.
import { createLambdaHandler } from '../../gateway/consume/lambda.ts'
import { type Handler, type Queue, toOutgoing } from '../../gateway/consume/queue.ts'
import { findDeadLetterQueue } from '../../gateway/consume/redrive.ts'
import { createSqsQueue } from '../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { awsOf, nameOf } from './arn.ts'

/** Not used to receive: Lambda has received already. */
const visibilityTimeoutSeconds = 30

function queueOf(arn: string): Queue {
  const name = nameOf(arn)
  const aws = awsOf(arn)
  return createSqsQueue({ aws, name, deadLetterName: findDeadLetterQueue(aws, name), visibilityTimeoutSeconds, clock })
}

/** What Lambda calls. One function serves one queue. */
export function createConsumer(handler: Handler): ReturnType<typeof createLambdaHandler> {
  let queue: Queue | undefined
  return (event, context) => {
    const arn = event.Records[0]?.eventSourceARN ?? ''
    const connected = () => {
      queue ??= queueOf(arn)
      return queue
    }
    return createLambdaHandler({
      handler,
      clock,
      bury: (item, reason) => connected().bury(item, reason),
      resend: (item) => {
        const outgoing = toOutgoing(item)
        return connected().send([{ ...outgoing, id: item.key, attributes: { ...outgoing.attributes, tries: String(item.receives) } }])
      },
    })(event, context)
  }
}
