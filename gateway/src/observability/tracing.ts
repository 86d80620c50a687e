/**
 * OpenTelemetry spans: one of kind PRODUCER for each message that this gateway publishes, a child of the `traceparent`
 * that the message brings. The message goes on with the `traceparent` of the span, so that what subscribers do is a
 * child of it. If `tracing` is off, none of this is loaded or called.
 */
import type { Context, Span, SpanContext, Tracer } from '@opentelemetry/api';
import type { Broker, PublishOutcome } from '../broker/broker.js';
import type { NewMessage } from '../broker/record.js';
import { parseTraceparent } from '../traceparent.js';

type Api = typeof import('@opentelemetry/api');

/** @throws {Error} with one clear line, if `@opentelemetry/api` is not installed */
export async function loadTracing(version: string): Promise<Tracing> {
  try {
    const api = await import('@opentelemetry/api');
    return new Tracing(api, api.trace.getTracer('fanfare', version));
  } catch (cause) {
    throw new Error('tracing needs the package @opentelemetry/api, and an SDK that is registered: it does not load', {
      cause,
    });
  }
}

class Tracing {
  readonly #api: Api;
  readonly #tracer: Tracer;

  constructor(api: Api, tracer: Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  /** Publishes as `publish` does, with a span for each message. */
  wrap(publish: Broker['publish']): Broker['publish'] {
    return (channel, messages, options) => {
      const spans = messages.map((message) => this.#begin(channel.name, message));
      const traced = messages.map((message, index) => this.#carrying(message, (spans[index] as Span).spanContext()));
      return publish(channel, traced, options).then(
        (outcomes) => {
          for (const [index, span] of spans.entries()) this.#end(span, outcomes[index]);
          return outcomes;
        },
        (error: Error) => {
          for (const span of spans) this.#end(span, error);
          throw error;
        },
      );
    };
  }

  #begin(channel: string, { tags, payload }: NewMessage): Span {
    const { ROOT_CONTEXT, SpanKind } = this.#api;
    const attributes = {
      'messaging.system': 'fanfare',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': channel,
      'messaging.message.body.size': payload.bytes.length,
    };
    const parent = this.#contextOf(tags?.traceparent) ?? ROOT_CONTEXT;
    return this.#tracer.startSpan(
      `publish ${channel.split(':', 1)[0]}`,
      { kind: SpanKind.PRODUCER, attributes },
      parent,
    );
  }

  #end(span: Span, outcome: PublishOutcome | undefined): void {
    if (outcome === undefined || outcome instanceof Error) {
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: outcome?.message ?? 'no outcome' });
    } else {
      const { position, duplicate } = outcome;
      if (position) span.setAttribute('messaging.message.id', `${position.epoch}-${position.offset}`);
      if (duplicate) span.setAttribute('fanfare.duplicate', true);
    }
    span.end();
  }

  #contextOf(traceparent: string | undefined): Context | undefined {
    const parent = parseTraceparent(traceparent ?? '');
    if (!parent) return undefined;
    const { traceId, spanId, flags: traceFlags } = parent;
    return this.#api.trace.setSpanContext(this.#api.ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
  }

  /**
   * The message with the span as its `traceparent`. Without an SDK of OpenTelemetry a span is empty, and the message
   * stays as it is.
   */
  #carrying(message: NewMessage, span: SpanContext): NewMessage {
    if (!this.#api.isSpanContextValid(span)) return message;
    const flags = span.traceFlags.toString(16).padStart(2, '0');
    return { ...message, tags: { ...message.tags, traceparent: `00-${span.traceId}-${span.spanId}-${flags}` } };
  }
}
