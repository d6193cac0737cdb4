// The http action POSTs the rule's result to a URL, with the retry rules of AWS's HTTP action.
import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { backoffMs } from '../../lib/backoff.ts'
import { GatewayError } from '../errors.ts'
import { type Body, bytesOf, JsonText } from '../message/body.ts'
import { type ActionDeps, type ActionKind, type BoundAction, type Delivery, fromPromise, type Template } from './action.ts'
import { camelCase, given } from './cloudformation.ts'
import { isTemplate, localOnly, oncePerDelivery } from './params.ts'
import { createSlots, type Slots } from './slots.ts'
import { isJson } from './text.ts'
import { fixedOriginOf, isBelow, parseWebUrl } from './web-url.ts'

const webUrl = z
  .string()
  .min(1)
  .max(2_000)
  .refine((url) => isTemplate(url) || parseWebUrl(url) !== undefined, 'must be an http:// or https:// URL without user info')

const headerName = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,256}$/, 'must be the name of an HTTP header')

const params = z
  .strictObject({
    url: webUrl.describe('The URL to POST to. May be a template. AWS accepts only https:// on port 443 or 8443.'),
    confirmationUrl: webUrl
      .refine(
        (url) => !isTemplate(url) || fixedOriginOf(url) !== undefined,
        'must start with a literal scheme and host: no message may choose them',
      )
      .refine((url) => isTemplate(url) || !/[?#]/.test(url), 'must have neither a query nor a fragment')
      .optional()
      .describe(
        '`url` must be this URL or below it: the same scheme, host, port and first path segments. Required when `url` holds a template.',
      ),
    headers: z
      .array(
        z.strictObject({
          key: headerName.describe('The name of the header.'),
          value: z.string().describe('The value. May be a template.'),
        }),
      )
      .max(100)
      .default([])
      .describe('Headers of the request.'),
    timeoutMs: localOnly(
      z.number().int().min(100).max(30_000).default(3_000),
      'Milliseconds for all attempts together. It is 3000 on AWS.',
    ),
  })
  .refine(({ url, confirmationUrl }) => !isTemplate(url) || confirmationUrl !== undefined, {
    path: ['confirmationUrl'],
    error: 'is needed because `url` holds a template: it says which URLs the template may make',
  })
  .refine(({ url, confirmationUrl = url }) => haveSameOrigin(url, confirmationUrl), {
    path: ['url'],
    error: 'has another scheme, host or port than confirmationUrl, so no request would be made',
  })

type Params = z.infer<typeof params>

export const http = {
  summary: 'POST the result to a URL.',
  noun: 'URL',
  params,
  ownRetries: true,
  target: ({ url }) => ({ param: 'url', text: url }),
  fromCloudFormation: {
    name: 'Http',
    params({ Url, ConfirmationUrl, Headers, Auth }) {
      if (Auth !== undefined) return 'the HTTP action is not signed here'
      return { url: Url, ...given({ confirmationUrl: ConfirmationUrl, headers: camelCase(Headers) }) }
    },
  },
  bind: bindHttp,
} as const satisfies ActionKind<Params>

/** [AWS http-rule-action] At most three attempts; only 429 and 5xx are retried. */
const maxAttempts = 3
const backoff = { baseMs: 200, capMs: 1_000 }
/** Concurrent requests of one action. */
const maxRequests = 16

function bindHttp({ url, confirmationUrl, headers, timeoutMs }: Params, deps: ActionDeps): BoundAction {
  const urlOf = oncePerDelivery(deps.template(url))
  const prefixOf = confirmationUrl === undefined ? undefined : deps.template(confirmationUrl)
  const slots = createSlots({ count: maxRequests, isTemplated: isTemplate(url) })
  const templates = headers.map(({ key, value }) => [key, deps.template(value)] as const)
  return {
    action: 'http',
    deliver: fromPromise(async (delivery, signal) => {
      const to = checked(urlOf(delivery), prefixOf?.(delivery))
      const headers = new Headers({ 'content-type': contentType(delivery.body), 'idempotency-key': delivery.key })
      for (const [name, value] of templates) headers.set(name, value(delivery))
      const request = { method: 'POST', body: bytesOf(delivery.body), headers, redirect: 'manual' } as const
      await slots.run(keyOf(to), () => post(to, request, deps.clock.deadline(timeoutMs, signal), deps))
    }),
    isUnavailable: slots.isFull,
    ...(isTemplate(url) && { isFree: (delivery: Delivery) => isProvenTarget(delivery, urlOf, slots) }),
  }
}

/** A target is a URL without its query. */
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

// Only the host is logged: paths and queries of webhooks hold secrets.
function failed({ host }: URL, what: string, retryable: boolean, cause?: unknown): GatewayError {
  const details = { action: 'http', host }
  return new GatewayError(retryable ? 'ACTION_FAILED' : 'ACTION_REFUSED', `the endpoint ${what}`, { details, cause })
}

/** true also when the origin is only known per delivery. */
function haveSameOrigin(url: string, prefix: string): boolean {
  const [one, other] = [url, prefix].map((text) => (isTemplate(text) ? fixedOriginOf(text) : parseWebUrl(text)?.origin))
  return one === undefined || other === undefined || one === other
}

// [AWS http-rule-action] JSON results and raw bytes have different types.
function contentType(body: Body): string {
  return body instanceof JsonText || (isUtf8(body) && isJson(bytesOf(body).toString())) ? 'application/json' : 'application/octet-stream'
}
