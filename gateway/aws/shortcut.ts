// SendMessageBatch by the shortest way through the SDK: what every call would find out anew, and always alike, is found out once.
import type { SendMessageBatchCommandInput, SQSClient } from '@aws-sdk/client-sqs'
import { toBody } from './body.ts'

/*
   first call to an endpoint    identity ▸ endpoint ▸ queue URL ▸ serialize ▸ length, host ▸ retry ▸ sign ▸ HTTP ▸ deserialize
   every further one                                   toBody ▸ length ────────────────────▸ sign ▸ HTTP ▸ JSON.parse, or
                                                                                                           deserialize an error

   Signer, HTTP handler and the reader of errors are the SDK's own in both, so credentials are renewed, clocks corrected and errors named as
   ever. Retries are the caller's. Input and output hold text, numbers and booleans only, which are the same in JSON and in the SDK's schema.
*/

type Input = SendMessageBatchCommandInput

interface Request {
  readonly headers: Record<string, string>
  readonly body?: Uint8Array
}

interface Response {
  readonly statusCode: number
  /** A buffer of a handler that waits for the end, a stream of the SDK's own. */
  readonly body: Buffer | NodeJS.ReadableStream
}

type Properties = Record<string, unknown>

/** The SDK's choice of credentials and signature, as its middleware leaves it in the context. */
interface Auth {
  readonly httpAuthOption: { readonly signingProperties?: Properties }
  readonly identity: unknown
  readonly signer: {
    sign(request: Request, identity: unknown, properties: Properties): Promise<Request>
    errorHandler?(properties: Properties): (error: unknown) => never
    successHandler?(response: Response, properties: Properties): void
  }
}

interface Context {
  readonly __smithy_context?: { readonly operationSchema?: readonly unknown[]; readonly selectedHttpAuthScheme?: Auth }
}

/** What the first call found out. */
interface Way {
  readonly request: Request
  readonly auth: Auth
  readonly operation: object
  readonly context: object
}

interface Internals {
  readonly requestHandler: { handle(request: Request): Promise<{ readonly response: Response }> }
  readonly protocol: { deserializeResponse(operation: object, context: object, response: Response): Promise<object> }
}

/** For a client that sends batches of text and nothing else. */
export function addShortcut(client: SQSClient): SQSClient {
  const config = client.config as unknown as Internals
  const ways = new Map<string, Way>()

  const take = async ({ request, auth, operation, context }: Way, body: Uint8Array) => {
    const headers = { ...request.headers, 'content-length': String(body.length) }
    const { signer, identity, httpAuthOption } = auth
    const properties = { ...httpAuthOption.signingProperties }
    try {
      const { response } = await config.requestHandler.handle(await signer.sign({ ...request, headers, body }, identity, properties))
      const answer = response.statusCode < 300 ? read(response) : config.protocol.deserializeResponse(operation, context, response)
      const output = await answer.catch((error) => {
        throw withResponse(error, response)
      })
      signer.successHandler?.(response, properties)
      return { response, output }
    } catch (error) {
      signer.errorHandler?.(properties)(error) // learns the time from a refusal, and throws it on
      throw error
    }
  }

  const shortcut = (next: (args: { input: Input }) => Promise<unknown>) => (args: { input: Input }) => {
    const way = ways.get(endpointOf(args.input))
    return way ? take(way, toBody(args.input)) : next(args)
  }

  const learn =
    (next: (args: { input: Input; request: Request }) => Promise<unknown>, context: Context) =>
    (args: { input: Input; request: Request }) => {
      const { operationSchema: [, namespace, name, traits, input, output] = [], selectedHttpAuthScheme: auth } =
        context.__smithy_context ?? {}
      // Later steps add to these headers what is for that call only.
      const request = { ...args.request, headers: { ...args.request.headers } }
      const operation = { namespace, name, traits, input, output }
      if (auth && name) ways.set(endpointOf(args.input), { request, auth, operation, context: { ...config, ...context } })
      return next(args)
    }

  client.middlewareStack.add(shortcut as never, { name: 'shortcut', step: 'initialize', priority: 'high' })
  client.middlewareStack.add(learn as never, { name: 'learn', step: 'build', priority: 'low' })
  return client
}

/** `https://sqs.eu-west-1.amazonaws.com/000000000000/telemetry` without its path: queues of one endpoint share a way. */
function endpointOf({ QueueUrl = '' }: Input): string {
  return QueueUrl.slice(0, QueueUrl.indexOf('/', 'https://'.length))
}

async function read({ statusCode, body }: Response): Promise<object> {
  const text = Buffer.isBuffer(body) ? body.toString() : await textOf(body)
  return { ...JSON.parse(text), $metadata: { httpStatusCode: statusCode } }
}

function textOf(body: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    body.setEncoding('utf8')
    body.on('data', (part: string) => {
      text += part
    })
    body.on('end', () => resolve(text))
    body.on('error', reject)
  })
}

/** As the SDK's own step does: the status also of an answer that is not JSON, and the headers for the signer's clock. */
function withResponse(error: Error & { $metadata?: object }, response: Response): Error {
  Object.defineProperty(error, '$response', { value: response })
  error.$metadata ??= { httpStatusCode: response.statusCode }
  return error
}
