// HTTP/1.1 requests and responses with their heads and bodies, as IoT Core and API Gateway meter them.
import { steps } from '../metering.ts'
import { incrementBytes, loadPriceBook } from '../price-book.ts'
import type { Decode, Direction, Unit } from './unit.ts'

export interface Head {
  /** `POST /topics/a?qos=1 HTTP/1.1`, `HTTP/1.1 200 OK` */
  readonly start: string
  readonly bytes: number
  readonly bodyBytes: number
}

export const decodeHttp: Decode = (told) => {
  const book = loadPriceBook('us-east-1')
  const [iot, api] = [incrementBytes(book, 'iotCore.messages'), incrementBytes(book, 'apiGateway.httpRequests')]
  const request = ({ start, bytes, bodyBytes }: Head): Unit => ({
    kind: start.split(' ')[0]!,
    direction: 'up',
    role: 'message',
    bytes,
    payloadBytes: bodyBytes,
    topicBytes: topicOf(start),
    billed: {
      'iotCore.messages': steps(bodyBytes, iot),
      'apiGateway.httpRequests': steps(bodyBytes, api),
      'apiGateway.restRequests': 1,
    },
  })
  /** IoT Core meters the bodies of errors; those of success in an older text only. */
  const response = ({ start, bytes, bodyBytes }: Head): Unit => {
    const status = start.split(' ')[1]!
    const billed: Unit['billed'] = status >= '400' ? { 'iotCore.messages': steps(bodyBytes, iot) } : {}
    return { kind: status, direction: 'down', role: 'ack', bytes, payloadBytes: 0, topicBytes: 0, billed }
  }
  const direct = (direction: Direction) => readMessages((head) => told((direction === 'up' ? request : response)(head)))
  return { up: direct('up'), down: direct('down') }
}

/** Calls back for each whole message; the body is counted, not kept. */
export function readMessages(onMessage: (head: Head) => void): (chunk: Buffer) => void {
  let head = Buffer.alloc(0)
  let current: Head | undefined
  let missing = 0
  return (chunk) => {
    let rest = chunk
    for (;;) {
      if (!current) {
        head = Buffer.concat([head, rest])
        const found = takeHead(head)
        if (!found) return
        current = found
        missing = found.bodyBytes
        rest = head.subarray(found.bytes - found.bodyBytes)
        head = Buffer.alloc(0)
      }
      const taken = Math.min(missing, rest.length)
      missing -= taken
      if (missing > 0) return
      onMessage(current)
      current = undefined
      rest = rest.subarray(taken)
      if (rest.length === 0) return
    }
  }
}

/** The head of a message, once it is there whole; `bytes` has the body in it. */
export function takeHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const text = bytes.toString('latin1', 0, end)
  if (/^transfer-encoding:/im.test(text)) throw new Error('a chunked HTTP body cannot be metered')
  const bodyBytes = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0)
  return { start: text.split('\r\n', 1)[0]!, bytes: end + 4 + bodyBytes, bodyBytes }
}

function topicOf(start: string): number {
  const path = /^\w+ \S*?\/topics\/([^ ?]*)/.exec(start)?.[1]
  return path === undefined ? 0 : Buffer.byteLength(decodeURIComponent(path))
}
