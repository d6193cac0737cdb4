// The page at `/`: three files as they are, under a policy that lets it load nothing else and talk to nobody else.
import { readFile } from 'node:fs/promises'
import type { FastifyInstance } from 'fastify'

const files = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
} as const

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
}

export function addPage(server: FastifyInstance): void {
  for (const [path, [file, type]] of Object.entries(files)) {
    server.get(path, async (_request, reply) => {
      const bytes = await readFile(new URL(`./${file}`, import.meta.url))
      return reply.headers(headers).type(type).send(bytes)
    })
  }
}
