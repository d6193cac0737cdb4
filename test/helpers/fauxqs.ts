// The embedded SQS and SNS for tests that want real sockets.
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns'
import { CreateQueueCommand, type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { startFauxqs } from 'fauxqs'
import { type Aws, createAws } from '../../gateway/aws/clients.ts'
import { fastPaths } from './fast-paths.ts'

export interface TestAws {
  readonly endpoint: string
  readonly aws: Aws
  createQueue(name: string): Promise<void>
  /** A topic whose messages arrive raw in a queue of the same name. */
  createTopic(name: string): Promise<void>
  /** Receives until `count` messages are there. */
  receive(queue: string, count: number): Promise<readonly Message[]>
  stop(): Promise<void>
}

export async function startTestAws(): Promise<TestAws> {
  const server = await startFauxqs({ port: 0, logger: false })
  const endpoint = `http://127.0.0.1:${server.port}`
  const aws = createAws({ endpoint, region: 'us-east-1', accountId: '000000000000', fastPaths })
  const createQueue = async (QueueName: string) => {
    await aws.sqs.send(new CreateQueueCommand({ QueueName, ...(QueueName.endsWith('.fifo') && { Attributes: { FifoQueue: 'true' } }) }))
  }
  return {
    endpoint,
    aws,
    createQueue,
    async createTopic(name) {
      await createQueue(name)
      await aws.client(SNSClient).send(new CreateTopicCommand({ Name: name }))
      const Endpoint = `arn:aws:sqs:us-east-1:000000000000:${name}`
      const Attributes = { RawMessageDelivery: 'true' }
      await aws.client(SNSClient).send(new SubscribeCommand({ TopicArn: aws.topicArn(name), Protocol: 'sqs', Endpoint, Attributes }))
    },
    async receive(queue, count) {
      const received: Message[] = []
      while (received.length < count) {
        const { Messages = [] } = await aws.sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: aws.queueUrl(queue),
            MaxNumberOfMessages: 10,
            WaitTimeSeconds: 5,
            MessageAttributeNames: ['All'],
            MessageSystemAttributeNames: ['All'],
          }),
        )
        if (Messages.length === 0) throw new Error(`${queue} gave ${received.length} messages, not ${count}`)
        received.push(...Messages)
      }
      return received
    },
    async stop() {
      aws.stop()
      await server.stop()
    },
  }
}
