package example;

import ai.onnxruntime.OrtException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import example.Network.Numbers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;

/**
 * Runs the networks of a bundle from Java and compares every number with golden.json.
 *
 * <p>The text vectors are taken from the golden file: a caller that embeds texts itself also needs a tokenizer that
 * reads tokenizer.json.
 */
public final class GoldenCheck {
  private static final int DIMENSIONS = 128;
  /** What promise 9 allows. */
  private static final double ALLOWED = 1e-4;

  private final Path bundle;
  private final JsonNode golden;
  private final JsonNode computed;
  private final Map<String, Double> differences = new LinkedHashMap<>();

  private GoldenCheck(Path bundle) throws IOException {
    this.bundle = bundle;
    golden = new ObjectMapper().readTree(bundle.resolve("golden.json").toFile());
    computed = golden.get("computed");
  }

  /** Compare the bundle in this folder; exit status 1 when a number is farther off than allowed. */
  public static void main(String[] arguments) throws IOException, OrtException {
    if (arguments.length != 1) {
      System.err.println("usage: mvn -q compile exec:java -Dexec.args=BUNDLE_FOLDER");
      System.exit(2);
    }
    GoldenCheck check = new GoldenCheck(Path.of(arguments[0]));
    check.categories();
    check.networks();
    double largest = 0;
    for (Map.Entry<String, Double> one : check.differences.entrySet()) {
      System.out.printf("%-18s %.1e%n", one.getKey(), one.getValue());
      largest = Math.max(largest, one.getValue());
    }
    System.out.printf("largest difference %.1e, allowed %.0e%n", largest, ALLOWED);
    System.exit(largest <= ALLOWED ? 0 : 1);
  }

  /** Hash the categories of the raw items: CRC-32 of "field=value", modulo the buckets, plus one. */
  private void categories() throws IOException {
    JsonNode schema = new ObjectMapper().readTree(bundle.resolve("manifest.json").toFile()).get("schema");
    int buckets = schema.get("buckets").asInt();
    double wrong = 0;
    for (int row = 0; row < golden.get("items").size(); row++) {
      JsonNode item = golden.get("items").get(row);
      Set<Long> expected = new LinkedHashSet<>();
      computed.get("category_ids").get(row).forEach(one -> expected.add(one.asLong()));
      expected.remove(0L);
      Set<Long> found = new LinkedHashSet<>();
      for (JsonNode field : schema.get("kinds").get(item.get("kind").asText()).get("categories")) {
        for (JsonNode value : item.get("categories").path(field.asText())) {
          CRC32 hash = new CRC32();
          hash.update((field.asText() + "=" + value.asText()).getBytes(StandardCharsets.UTF_8));
          found.add(hash.getValue() % buckets + 1);
        }
      }
      wrong += found.equals(expected) ? 0 : 1;
    }
    differences.put("category_ids", wrong);
  }

  private void networks() throws OrtException {
    float[] items = items();
    compare("item_vectors", items);
    float[] query = computed.get("query_vector").isNull() ? new float[DIMENSIONS] : floats(computed.get("query_vector"));
    float[] user = user(items, query);
    compare("user_vector", user);
    int rows = golden.get("items").size();
    Map<String, Numbers> feed = new LinkedHashMap<>();
    feed.put("query", vector(query));
    feed.put("user", vector(user));
    feed.put("items", numbers(items, rows, DIMENSIONS));
    try (Network scorer = new Network(bundle.resolve("scorer.onnx"))) {
      feed.put("signals", signals(0, scorer.signals()));
      Map<String, float[]> told = new LinkedHashMap<>(scorer.run(feed));
      Path judged = bundle.resolve("relevance.onnx");
      if (Files.exists(judged) && !computed.get("query_vector").isNull()) {
        try (Network relevance = new Network(judged)) {
          int columns = golden.get("signal_names").size();
          feed.put("signals", signals(columns - relevance.signals(), columns));
          told.putAll(relevance.run(feed));
        }
      }
      told.forEach(this::compare);
    }
  }

  private float[] items() throws OrtException {
    Map<String, Numbers> feed = new LinkedHashMap<>();
    for (String name : new String[] {"text", "category_weights", "numbers", "known"}) {
      feed.put(name, matrix(computed.get(name), false));
    }
    feed.put("category_ids", matrix(computed.get("category_ids"), true));
    try (Network tower = new Network(bundle.resolve("item_tower.onnx"))) {
      return tower.run(feed).get("item_vector");
    }
  }

  /** The person who did what the golden file tells, newest first. */
  private float[] user(float[] items, float[] query) throws OrtException {
    int events = golden.get("events").size();
    float[] history = new float[events * DIMENSIONS];
    for (int row = 0; row < events; row++) {
      int item = golden.get("events").get(row).get("item").asInt();
      System.arraycopy(items, item * DIMENSIONS, history, row * DIMENSIONS, DIMENSIONS);
    }
    Map<String, Numbers> feed = new LinkedHashMap<>();
    feed.put("items", numbers(history, events, DIMENSIONS));
    feed.put("weights", vector(floats(computed.get("history_weights"))));
    feed.put("ages", vector(floats(computed.get("history_ages"))));
    feed.put("query", vector(query));
    try (Network tower = new Network(bundle.resolve("user_tower.onnx"))) {
      return tower.run(feed).get("user_vector");
    }
  }

  /** Columns of the golden signals. */
  private Numbers signals(int from, int to) {
    JsonNode rows = golden.get("signals");
    double[] values = new double[rows.size() * (to - from)];
    int place = 0;
    for (JsonNode row : rows) {
      for (int column = from; column < to; column++) {
        values[place++] = row.get(column).asDouble();
      }
    }
    return new Numbers(values, false, rows.size(), to - from);
  }

  private void compare(String name, float[] found) {
    float[] expected = computed.get(name).isNumber() ? new float[] {(float) computed.get(name).asDouble()} : floats(computed.get(name));
    if (expected.length != found.length) {
      throw new IllegalStateException(name + ": " + expected.length + " numbers expected, got " + found.length);
    }
    double largest = 0;
    for (int place = 0; place < found.length; place++) {
      largest = Math.max(largest, Math.abs(expected[place] - found[place]));
    }
    differences.put(name, largest);
  }

  private static Numbers matrix(JsonNode rows, boolean whole) {
    int columns = rows.get(0).size();
    double[] values = new double[rows.size() * columns];
    int place = 0;
    for (JsonNode row : rows) {
      for (JsonNode value : row) {
        values[place++] = value.asDouble();
      }
    }
    return new Numbers(values, whole, rows.size(), columns);
  }

  private static Numbers vector(float[] values) {
    return numbers(values, values.length);
  }

  private static Numbers numbers(float[] values, long... shape) {
    double[] wide = new double[values.length];
    for (int place = 0; place < wide.length; place++) {
      wide[place] = values[place];
    }
    return new Numbers(wide, false, shape);
  }

  /** All numbers of an array of any depth, row by row. */
  private static float[] floats(JsonNode array) {
    java.util.List<Float> found = new java.util.ArrayList<>();
    collect(array, found);
    float[] values = new float[found.size()];
    for (int place = 0; place < values.length; place++) {
      values[place] = found.get(place);
    }
    return values;
  }

  private static void collect(JsonNode node, java.util.List<Float> into) {
    if (node.isNumber()) {
      into.add((float) node.asDouble());
    } else {
      node.forEach(one -> collect(one, into));
    }
  }
}
