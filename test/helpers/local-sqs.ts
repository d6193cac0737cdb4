// The embedded SQS in the test's own process: queues by name, and an Aws that reaches them.
import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { type Aws, createAws } from '../../gateway/aws/clients.ts'
import { fastPaths } from './fast-paths.ts'

export interface LocalSqs {
  readonly endpoint: string
  readonly aws: Aws
  readonly server: FauxqsServer
  /** A queue and its dead-letter queue, `<name>-dlq`. */
  createQueue(name: string, attributes?: Record<string, string>): { readonly name: string; readonly deadLetterName: string }
  stop(): Promise<void>
}

export async function startLocalSqs(): Promise<LocalSqs> {
  const server = await startFauxqs({ port: 0, logger: false, host: '127.0.0.1' })
  const endpoint = `http://127.0.0.1:${server.port}`
  const aws = createAws({ endpoint, region: 'us-east-1', accountId: '000000000000', fastPaths })
  return {
    endpoint,
    aws,
    server,
    createQueue(name, attributes = {}) {
      const fifo: Record<string, string> = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
      const deadLetterName = name.endsWith('.fifo') ? name.replace(/\.fifo$/, '-dlq.fifo') : `${name}-dlq`
      server.createQueue(deadLetterName, { attributes: fifo })
      server.createQueue(name, { attributes: { ...fifo, ...attributes } })
      return { name, deadLetterName }
    },
    async stop() {
      aws.stop()
      await server.stop()
    },
  }
}
