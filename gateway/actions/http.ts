// POSTs the rule's result to a URL, under the retry rules of AWS's own HTTP action.
import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { backoffMs } from '../../lib/backoff.ts'
import { GatewayError } from '../errors.ts'
import { type Body, bytesOf, JsonText } from '../message/body.ts'
import { type ActionDeps, type ActionKind, type Delivery, promised, type Target, type Template } from './action.ts'
import { isTemplate, localOnly, oncePerDelivery } from './params.ts'
import { createSlots, type Slots } from './slots.ts'
import { isJson } from './text.ts'
import { fixedOriginOf, isBelow, parseWebUrl } from './web-url.ts'

const target = z
  .string()
  .min(1)
  .max(2_000)
  .refine((url) => isTemplate(url) || parseWebUrl(url) !== undefined, 'must be an http:// or https:// URL without user info')

const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,256}$/, 'must be the name of an HTTP header')

const params = z
  .strictObject({
    url: target.describe('where to POST to, a template; AWS takes only https:// on port 443 or 8443'),
    confirmationUrl: target
      .refine(
        (url) => !isTemplate(url) || fixedOriginOf(url) !== undefined,
        'must start with a literal scheme and host: no message may choose them',
      )
      .refine((url) => isTemplate(url) || !/[?#]/.test(url), 'must have neither a query nor a fragment')
      .optional()
      .describe('the URL must be this one or below it: same scheme, host and port, and path segments; needed when `url` holds a template'),
    headers: z
      .array(z.strictObject({ key: headerName.describe('name'), value: z.string().describe('text; may be a template') }))
      .max(100)
      .default([])
      .describe('headers of the request; values may be templates'),
    timeoutMs: localOnly(z.number().int().min(100).max(30_000).default(3_000), 'milliseconds for all attempts together; 3000 on AWS'),
  })
  .refine(({ url, confirmationUrl }) => !isTemplate(url) || confirmationUrl !== undefined, {
    path: ['confirmationUrl'],
    error: 'is needed because `url` holds a template: it says which URLs the template may make',
  })
  .refine(({ url, confirmationUrl = url }) => haveSameOrigin(url, confirmationUrl), {
    path: ['url'],
    error: 'has another scheme, host or port than confirmationUrl, so no request would be made',
  })

/** [AWS http-rule-action] three attempts in all, and only 429 and 5xx are worth another. */
const maxAttempts = 3
const backoff = { baseMs: 200, capMs: 1_000 }
/** Requests of one action in flight at once. */
const maxRequests = 16

export const http = {
  summary: 'POST the result to a URL.',
  params,
  ownRetries: true,
  bind({ url, confirmationUrl, headers, timeoutMs }, deps): Target {
    const urlOf = oncePerDelivery(deps.template(url))
    const prefixOf = confirmationUrl === undefined ? undefined : deps.template(confirmationUrl)
    const slots = createSlots({ count: maxRequests, isTemplated: isTemplate(url) })
    const templates = headers.map(({ key, value }) => [key, deps.template(value)] as const)
    return {
      action: 'http',
      deliver: promised(async (delivery, signal) => {
        const to = checked(urlOf(delivery), prefixOf?.(delivery))
        const headers = new Headers({ 'content-type': contentType(delivery.body), 'idempotency-key': delivery.key })
        for (const [name, value] of templates) headers.set(name, value(delivery))
        const request = { method: 'POST', body: bytesOf(delivery.body), headers, redirect: 'manual' } as const
        await slots.run(keyOf(to), () => post(to, request, deps.clock.deadline(timeoutMs, signal), deps))
      }),
      isAway: slots.isFull,
      ...(isTemplate(url) && { isFree: (delivery: Delivery) => isProvenTarget(delivery, urlOf, slots) }),
    }
  },
} satisfies ActionKind<z.infer<typeof params>>

/** A target is an address without its query. */
function keyOf({ origin, pathname }: URL): string {
  return origin + pathname
}

function isProvenTarget(delivery: Delivery, urlOf: Template, slots: Slots): boolean {
  try {
    return slots.isProven(keyOf(new URL(urlOf(delivery))))
  } catch {
    return false
  }
}

async function post(url: URL, request: RequestInit, signal: AbortSignal, { fetch, clock, random }: ActionDeps): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const status = await once(url, { ...request, signal }, fetch)
    if (status >= 200 && status < 300) return
    const error = failed(url, `answered ${status}`, status === 429 || status >= 500)
    if (!error.retryable || attempt === maxAttempts) throw error
    await clock.sleep(backoffMs(backoff, attempt - 1, random), signal).catch(() => {
      throw error
    })
  }
}

async function once(url: URL, request: RequestInit, send: typeof fetch): Promise<number> {
  try {
    const response = await send(url, request)
    await response.body?.cancel()
    return response.status
  } catch (error) {
    const { name, cause } = error as { name?: string; cause?: { code?: string } }
    throw failed(url, name === 'TimeoutError' ? 'did not answer in time' : `could not be reached (${cause?.code ?? name})`, true, error)
  }
}

function checked(text: string, prefix: string | undefined): URL {
  const url = parseWebUrl(text)
  const above = prefix === undefined ? undefined : parseWebUrl(prefix)
  if (url && (prefix === undefined || (above && isBelow(url, above)))) return url
  throw new GatewayError('ACTION_REFUSED', 'the URL of the http action is not a web address or is not below its confirmationUrl', {
    details: { action: 'http' },
  })
}

// The host is for the log, where the error action's reader has the rule; paths and queries of webhooks hold secrets.
function failed({ host }: URL, what: string, retryable: boolean, cause?: unknown): GatewayError {
  const details = { action: 'http', host }
  return new GatewayError(retryable ? 'ACTION_FAILED' : 'ACTION_REFUSED', `the endpoint ${what}`, { details, cause })
}

/** True also when only a delivery can tell. */
function haveSameOrigin(url: string, prefix: string): boolean {
  const [one, other] = [url, prefix].map((text) => (isTemplate(text) ? fixedOriginOf(text) : parseWebUrl(text)?.origin))
  return one === undefined || other === undefined || one === other
}

// [AWS http-rule-action] JSON results and raw bytes have different types.
function contentType(body: Body): string {
  return body instanceof JsonText || (isUtf8(body) && isJson(bytesOf(body).toString())) ? 'application/json' : 'application/octet-stream'
}
