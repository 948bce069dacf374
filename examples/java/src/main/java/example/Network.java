package example;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxTensorLike;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/** One network of a bundle, run on one thread; safe for several threads at once. */
final class Network implements AutoCloseable {
  private static final OrtEnvironment ENVIRONMENT = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  Network(Path file) throws OrtException {
    OrtSession.SessionOptions options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = ENVIRONMENT.createSession(file.toString(), options);
  }

  /** How many columns of signals this network reads. */
  int signals() throws OrtException {
    if (!session.getInputInfo().containsKey("signals")) {
      return 0;
    }
    return (int) ((TensorInfo) session.getInputInfo().get("signals").getInfo()).getShape()[1];
  }

  /** The outputs by name, flat; inputs that the network does not read are left out. */
  Map<String, float[]> run(Map<String, Numbers> inputs) throws OrtException {
    Map<String, OnnxTensorLike> feed = new HashMap<>();
    try {
      for (String name : session.getInputNames()) {
        feed.put(name, inputs.get(name).tensor());
      }
      try (OrtSession.Result found = session.run(feed)) {
        Map<String, float[]> told = new LinkedHashMap<>();
        for (Map.Entry<String, ai.onnxruntime.OnnxValue> one : found) {
          FloatBuffer buffer = ((OnnxTensor) one.getValue()).getFloatBuffer();
          float[] values = new float[buffer.remaining()];
          buffer.get(values);
          told.put(one.getKey(), values);
        }
        return told;
      }
    } finally {
      feed.values().forEach(OnnxTensorLike::close);
    }
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }

  /** An array of any shape, row by row. */
  record Numbers(double[] values, boolean whole, long... shape) {
    private OnnxTensor tensor() throws OrtException {
      if (whole) {
        long[] longs = new long[values.length];
        for (int place = 0; place < longs.length; place++) {
          longs[place] = (long) values[place];
        }
        return OnnxTensor.createTensor(ENVIRONMENT, LongBuffer.wrap(longs), shape);
      }
      float[] floats = new float[values.length];
      for (int place = 0; place < floats.length; place++) {
        floats[place] = (float) values[place];
      }
      return OnnxTensor.createTensor(ENVIRONMENT, FloatBuffer.wrap(floats), shape);
    }
  }
}
