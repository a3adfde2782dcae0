import com.sun.management.OperatingSystemMXBean;
import densealert.DenseAlert;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Times the authors' DenseAlert on a file of complaints; bench/peers.py compiles and starts it.
 *
 * <p>Arguments: the file, whose lines are "reporter,target,hour,1,seconds" in order of time; the window in seconds; the
 * number of the first line that counts as the end of the stream. Prints a JSON object: CPU seconds (of every thread, so
 * that the compiler's and the collector's count) of all insertions and of those from that line on, and the largest
 * density that was met.
 *
 * <p>The file is read as the authors' DenseAlertExample reads it. That has the name of its file and the length of its
 * window fixed, which is why this exists. The density is read after every insertion, as an alert would need it.
 */
public final class DenseAlertTimes {
    private static final int ORDER = 3;

    private DenseAlertTimes() {}

    public static void main(String[] arguments) throws IOException {
        int window = Integer.parseInt(arguments[1]);
        int end = Integer.parseInt(arguments[2]);
        int lines = (int) Files.lines(Path.of(arguments[0])).count();
        int[][] entries = new int[lines][];
        long[] times = new long[lines];
        read(arguments[0], entries, times);
        double begun = cpuSeconds();
        double endCpu = begun;
        double densest = 0;
        DenseAlert alert = new DenseAlert(ORDER, window);
        for (int line = 0; line < lines; line++) {
            if (line == end) {
                endCpu = cpuSeconds();
            }
            alert.insert(entries[line], times[line]);
            densest = Math.max(densest, alert.getDensity());
        }
        double done = cpuSeconds();
        System.out.printf(
                Locale.ROOT,
                "{\"detect\": %.6f, \"tail\": %.6f, \"found\": \"largest density %.2f\"}%n",
                done - begun,
                done - endCpu,
                densest);
    }

    private static void read(String path, int[][] entries, long[] times) throws IOException {
        try (BufferedReader reader = Files.newBufferedReader(Path.of(path))) {
            for (int line = 0; line < entries.length; line++) {
                String[] tokens = reader.readLine().split(",");
                entries[line] = new int[ORDER + 1];
                for (int place = 0; place <= ORDER; place++) {
                    entries[line][place] = Integer.parseInt(tokens[place]);
                }
                times[line] = Long.parseLong(tokens[ORDER + 1]);
            }
        }
    }

    private static double cpuSeconds() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
    }
}
