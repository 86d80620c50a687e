/** An OpenTelemetry SDK as an application would bring it, by `--import`: each span that ends is a line on stderr. */
import { trace } from '@opentelemetry/api';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const exporter = {
  export(spans, done) {
    for (const one of spans) {
      const { name, kind, attributes, status, parentSpanContext } = one;
      const { traceId, spanId } = one.spanContext();
      const span = { name, kind, attributes, status, parent: parentSpanContext?.spanId, traceId, spanId };
      process.stderr.write(`SPAN ${JSON.stringify(span)}\n`);
    }
    done({ code: 0 });
  },
  shutdown: async () => {},
};
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
