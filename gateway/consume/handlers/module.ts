// Call the function a file of the user exports.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { GatewayError, textOf } from '../../errors.ts'
import type { Handler } from '../queue.ts'
import type { HandlerKind } from './handler.ts'

const params = z.strictObject({
  path: z.string().min(1).describe('a .js or .ts file'),
  export: z.string().min(1).default('default').describe('the exported function: `(item, signal) => Promise<void>`'),
})

export const module = {
  summary: 'Call the function a .js or .ts file exports.',
  params,
  async bind({ path, export: name }, { directory }) {
    const refuse = (why: string, cause?: unknown) => new GatewayError('HANDLER_INVALID', `handler module: ${path} ${why}`, { cause })
    const exports = (await import(pathToFileURL(resolve(directory, path)).href).catch((cause) => {
      throw refuse(`cannot be loaded (${textOf(cause).split('\n', 1)[0]})`, cause)
    })) as Record<string, unknown>
    const handle = exports[name]
    if (typeof handle !== 'function') throw refuse(`has no function as its export \`${name}\``)
    // A function that is not async may throw at once; a caller of ours only sees promises.
    return { handle: async (item, signal) => (handle as Handler)(item, signal) }
  },
} satisfies HandlerKind<z.infer<typeof params>>
