// Streams of server-sent events: a bounded number of readers, each with a bounded number of unread bytes.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../errors.ts'

/** Readers of all streams together: a page opens one, and a browser keeps no more than six. */
const maxReaders = 64
/** A reader that has more unread is disconnected. */
const maxUnreadBytes = 256 * 1024

export interface Reader {
  send(event: string, data: object): void
}

export interface Readers {
  /** Answers the request with a stream. Throws READERS_EXCEEDED. */
  open(request: FastifyRequest, reply: FastifyReply, onClose: (reader: Reader) => void): Reader
}

export function createReaders(): Readers {
  const readers = new Set<Reader>()
  return {
    open(request, reply, onClose) {
      if (readers.size >= maxReaders) throw new GatewayError('READERS_EXCEEDED', `${maxReaders} readers of live events are connected`)
      reply.hijack()
      const stream = reply.raw
      stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).flushHeaders()
      const reader: Reader = {
        send(event, data) {
          if (stream.writableLength > maxUnreadBytes) stream.destroy()
          else stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
        },
      }
      readers.add(reader)
      request.raw.on('close', () => {
        if (readers.delete(reader)) onClose(reader)
      })
      return reader
    },
  }
}
